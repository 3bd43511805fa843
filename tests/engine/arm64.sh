#!/usr/bin/env bash
# The golden trainings on an emulated ARM64 processor: the same bits as in golden.json. Some ten minutes, mostly downloads.
# Needs Debian's apt, `apt-get install qemu-user-static`, and a Python 3.11 with pip. Everything goes into one folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
work=${1:-$(mktemp -d)}
mkdir -p "$work"/{lists/partial,debs,root,site}
cd "$work"

apt=(-oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State::lists="$work/lists" -oDir::Cache="$work")
apt-get "${apt[@]}" -qq update
(cd debs && apt-get "${apt[@]}" -qq download libc6 libgcc-s1 libstdc++6 zlib1g python3.11-minimal libpython3.11-minimal \
    libpython3.11-stdlib libexpat1 libffi8 libbz2-1.0 liblzma5 libuuid1 libcrypt1 libssl3)
for deb in debs/*.deb; do dpkg -x "$deb" root; done

# The versions that are locked, where there is a lock; wheels for ARM64, unpacked side by side.
grep -E '^(numpy|llvmlite|pydantic|pydantic-core|annotated-types|typing-extensions|typing-inspection|ruamel-yaml)==' \
    "$here/../../requirements.lock" | grep -v "python_full_version >= '3.12'" | sed 's/[ ;\\].*//' > wanted.txt
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest wheels \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 \
    --python-version 3.11 -r wanted.txt
for wheel in wheels/*.whl; do "$python" -m zipfile -e "$wheel" site; done

# 30 times slower than this machine's own code.
qemu-aarch64-static -L root -E PYTHONPATH="$work/site:$here/../../src" -E PYTHONDONTWRITEBYTECODE=1 \
    root/usr/bin/python3.11 "$here/golden.py" > arm64.json
diff "$here/golden.json" arm64.json && echo "ARM64: the bits of golden.json"
