# make demo [STUDY=demo-classical]   set up what is missing, run a study, write its report
# make test                          set up what is missing, run all tests
# make bench [BENCH="--quick"]       set up what is missing, compare speed with schnetpack's own tools
STUDY ?= demo
CORES ?= $(shell nproc)
REPORT = results/report-$(STUDY).html
NEEDS_CP2K = $(shell grep -qs 'labeler: cp2k' config/studies/$(STUDY).yaml && echo cp2k)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test bench lint setup

demo:
	@envs/setup.sh minset mdsuite $(NEEDS_CP2K)
	@snakemake --cores $(CORES) --quiet rules --config study=$(STUDY)
	@if [ ! -f $(REPORT) ] || [ -n "$$(find results/*/figure/$(STUDY) results/*/table/$(STUDY) -newer $(REPORT))" ]; then \
	    snakemake --report $(REPORT) --quiet all --config study=$(STUDY); fi
	@printf '\nfigures  results/*/figure/$(STUDY)/\ntables   results/*/table/$(STUDY)/\nreport   $(REPORT)\n'

setup:
	@envs/setup.sh dev mdsuite cp2k

test: setup
	python -m pytest tests

bench: setup
	python tests/benchmarks/bench.py $(BENCH)

lint: setup
	ruff check . && ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint --config study=$(STUDY)
