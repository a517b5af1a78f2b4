#!/usr/bin/env bash
# Regenerates artifacts/crds from the markers in pkg/apis. Needs Go only.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-artifacts/crds}
mkdir -p "$out" bin
(cd hack/tools && go build -o ../../bin/ sigs.k8s.io/controller-tools/cmd/controller-gen)
bin/controller-gen crd:generateEmbeddedObjectMeta=true paths=./pkg/apis/... output:crd:dir="$out"
go run ./hack/slimcrd "$out"/*.yaml
