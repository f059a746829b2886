#!/usr/bin/env bash
# Shows that the tests see what they should: applies each patch of this folder to a copy of the working tree, one at a time, and
# runs the tests that the patch names. A test that still passes is a failure of this script.
#   tests/mutants/run.sh [NAME ...]     all, or some; the copy and its build stay in target/mutants for the next time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

root=$PWD
copy=$root/target/mutants/tree
log=$root/target/mutants/log
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/mutants/build} QUOTAD_MODEL_STEPS=${QUOTAD_MODEL_STEPS:-8000}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in tests/mutants/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

rm -rf "$copy"
mkdir -p "$copy" "$log"
git ls-files -z | xargs -0 cp --parents -t "$copy"

survived=()
for name in "${names[@]}"; do
    patch=$root/tests/mutants/$name.patch
    read -r -a tests < <(sed -n 's/^Tests: //p' "$patch")
    (cd "$copy" && patch -p1 -s <"$patch")
    # It must build: a mutant that does not compile shows nothing.
    (cd "$copy" && cargo test --locked "${tests[@]:0:${#tests[@]}-1}" --no-run >"$log/$name" 2>&1) || {
        echo "$name: does not build, see $log/$name" >&2
        exit 1
    }
    if (cd "$copy" && cargo test --locked "${tests[@]}" >>"$log/$name" 2>&1); then
        survived+=("$name")
        echo "SURVIVED  $name: $(head -n 1 "$patch")"
    else
        echo "caught    $name: $(head -n 1 "$patch")"
    fi
    (cd "$copy" && patch -p1 -s -R <"$patch")
    rm -f "$copy"/tests/it/seeds/*.txt && git ls-files -z tests/it/seeds | xargs -0 cp --parents -t "$copy"
done

[ ${#survived[@]} -eq 0 ] || { echo "survived: ${survived[*]}" >&2; exit 1; }
echo "all ${#names[@]} were caught"
