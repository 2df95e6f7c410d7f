#!/usr/bin/env sh
# Print a Dockerfile with all environments of a study, for `snakemake --sdm conda apptainer`; needs conda.
#   envs/dockerfile.sh STUDY > Dockerfile
# `snakemake --containerize` leaves the post-deploy scripts out: they are added at the end.
set -eu
cd "$(dirname "$0")/.."
definition=$(snakemake --containerize --config study="$1")
printf '%s\n' "$definition"
printf '%s\n' "$definition" | while read -r _ key value; do
    case $key in
        source:) script=${value%.yaml}.post-deploy.sh ;;
        prefix:)
            [ -f "$script" ] || continue
            echo "COPY $script $value/post-deploy.sh"
            echo "RUN conda run --prefix $value sh $value/post-deploy.sh"
            ;;
    esac
done
