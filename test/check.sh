#!/usr/bin/env bash
# Types, lint and format, side by side; fails if one does, and shows what each says.
set -uo pipefail

checks=(typecheck lint format:check)
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
ids=()
for check in "${checks[@]}"; do
  npm run "$check" >"$said/$check" 2>&1 &
  ids+=($!)
done
failed=0
for check in "${!checks[@]}"; do
  wait "${ids[$check]}" || failed=1
  cat "$said/${checks[$check]}"
done
exit "$failed"
