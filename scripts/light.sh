#!/usr/bin/env bash
# A model is made with torch, then everything a user does with it is done in an environment that has none.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

full=$PWD/${BIN:-.venv/bin}
"$full/okulo" sample fashion "$work/fashion" --quiet > /dev/null
"$full/okulo" scan "$work/fashion" -o "$work/items.parquet" --quiet > /dev/null
"$full/okulo" train "$work/items.parquet" -o "$work/run" --epochs 1 --quiet > /dev/null
"$full/okulo" export "$work/run" -o "$work/model.okulo.onnx" --quiet > /dev/null

"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt .
cd "$work"  # away from the checkout: what runs now is the installed package
PATH=$work/venv/bin:/usr/bin:/bin
for module in torch torchvision timm; do
    if python -c "import $module" 2> /dev/null; then
        echo "light: $module is installed, this proves nothing" >&2
        exit 1
    fi
done
set -x
okulo --version
okulo sample clipart clipart --quiet
okulo scan clipart -o clipart.parquet --split 0.8/0.1/0.1 --quiet
okulo predict model.okulo.onnx fashion/test -o predictions.parquet --quiet
okulo evaluate model.okulo.onnx items.parquet -o report --quiet
okulo threshold model.okulo.onnx items.parquet --rule trade --quiet
okulo bench model.okulo.onnx --quiet
{ set +x; } 2> /dev/null
set +e
okulo train items.parquet -o run2 --quiet 2> refused.txt
code=$?
set -e
grep -q "okulo\[train\]" refused.txt && [ $code = 2 ]
echo "light: the torch-free commands work without torch, and train says what to install"
