#!/bin/sh
# Make .venv-peers: the libraries that the benchmarks run beside infomax, kept out of its own .venv.
# They want other versions of torch, so they get an interpreter of their own.
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv .venv-peers
.venv-peers/bin/python -m pip install --quiet --upgrade pip
.venv-peers/bin/python -m pip install --quiet \
    torch==2.14.1 torchvision==0.29.1 lightly open_clip_torch jaxtyping pydantic \
    torch-mist pandas infomeasure scikit-learn beartype
PYTHONPATH=src .venv-peers/bin/python -c 'import lightly.loss, open_clip, torch, infomax.encoders; print("peers ready, torch", torch.__version__)'
