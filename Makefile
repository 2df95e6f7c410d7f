# make demo [STUDY=demo-classical]   set up what is missing, run a study, write its report
# make status [STUDY=demo]           what of a study is done, running and failed, and the time left
# make export STUDY=demo MODEL=...    a trained model and its data as one folder, for whoever has no part in the workflow
# make publish [STUDY=demo]          write what a study has to results/published, for others to run it without its labeler
# make test                          set up what is missing, run all tests but those of faults and the slow ones
# make test-faults                   the same for those: kills, full disks, time limits, lost nodes
# make test-slow                     the same for those: a study of each system that comes with minset
# make fuzz [FUZZ=20]                the fuzz tests with FUZZ times as many inputs as in make test (15 minutes)
# make bench [BENCH="--quick"]       set up what is missing, compare speed with schnetpack's own tools
# make bench-peers [PEERS="--seeds 2"]  the same, compare accuracy and cost with other potentials (minutes each)
STUDY ?= demo
CORES ?= $(shell nproc)
FUZZ ?= 20
REPORT = results/report-$(STUDY).html
STUDY_FILE = config/studies/$(STUDY).yaml
# labels that are published need no program
NEEDS = $(shell grep -qs '^published:' $(STUDY_FILE) || \
    for part in cp2k espresso; do grep -qs "labeler: $$part" $(STUDY_FILE) && echo $$part; done; \
    grep -qs 'potential: chgnet' $(STUDY_FILE) && echo chgnet)
# a name that is not known would change nothing: `make demo study=x` ran another study
KNOWN = STUDY MODEL CORES FUZZ BENCH PEERS PYTHON
GIVEN = $(foreach word,$(filter-out -%,$(MAKEOVERRIDES)),$(if $(findstring =,$(word)),$(firstword $(subst =, ,$(word)))))
$(foreach name,$(filter-out $(KNOWN),$(GIVEN)),\
    $(error $(name)=...: unknown variable; known are $(KNOWN), in capitals))
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo status export publish test test-faults test-slow fuzz bench bench-peers lint setup

demo:
	@envs/setup.sh minset mdsuite $(NEEDS)
	@snakemake --cores $(CORES) --quiet rules --config study=$(STUDY)
	@if [ ! -f $(REPORT) ] || [ -n "$$(find results/*/figure/$(STUDY) results/*/table/$(STUDY) -newer $(REPORT))" ]; then \
	    snakemake --report $(REPORT) --quiet all --config study=$(STUDY); fi
	@printf '\nfigures  results/*/figure/$(STUDY)/\ntables   results/*/table/$(STUDY)/\nreport   $(REPORT)\n'

status:
	@python scripts/status.py $(STUDY)

export:
	@envs/setup.sh minset
	@snakemake exported --cores $(CORES) --quiet rules --config study=$(STUDY) $(if $(MODEL),model=$(MODEL))
	@printf '\nexport   %s\n' results/*/export/$(STUDY)/$(MODEL)

publish:
	@python scripts/publish.py $(STUDY)

setup:
	@envs/setup.sh dev mdsuite chgnet cp2k slurm espresso

test: setup
	python -m pytest -n 2 --dist loadfile -m "not faults and not slow" tests

test-faults: setup
	python -m pytest -m faults tests

test-slow: setup
	python -m pytest -m slow tests

fuzz: setup
	MINSET_FUZZ=$(FUZZ) python -m pytest -q --timeout 0 tests/fuzz

bench: setup
	python tests/benchmarks/bench.py $(BENCH)

bench-peers: setup
	PYTHONPATH=tests/benchmarks:workflow python -m peers $(PEERS)

lint: setup
	ruff check . && ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint --config study=$(STUDY)
