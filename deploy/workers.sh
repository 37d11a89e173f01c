#!/usr/bin/env bash
# Train one run on several machines. On every machine, with its own number:
#
#     deploy/workers.sh 0 host0:2222,host1:2222 --dataset svhn --run_dir /shared/runs/svhn
#     deploy/workers.sh 1 host0:2222,host1:2222 --dataset svhn --run_dir /shared/runs/svhn
#
# The first host is the chief, which alone writes; the run folder must be on a file system that all
# of them share. Stopping one worker stops all; the same commands again resume. So that a lost
# machine is replaced, let a supervisor start every worker again when one ends.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 INDEX HOST:PORT,HOST:PORT[,…] [flags of train.py]" >&2
  exit 2
fi
index=$1
hosts="\"${2//,/\",\"}\""
shift 2
export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
exec python "$(dirname "$0")/../train.py" "$@"
