#!/usr/bin/env bash
# Regenerates deepcopy functions, registration, clientset, listers, informers and
# applyconfigurations from the types in pkg/apis. Needs Go only.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
module=github.com/upmio/unit-operator
export GOBIN="$root/bin"
mkdir -p "$GOBIN"
codegen=$(go list -m -f '{{.Dir}}' k8s.io/code-generator)
# shellcheck source=/dev/null
source "$codegen/kube_codegen.sh"

kube::codegen::gen_helpers \
  --boilerplate "$root/hack/boilerplate.go.txt" \
  "$root/pkg/apis"
kube::codegen::gen_helpers \
  --boilerplate "$root/hack/boilerplate.go.txt" \
  "$root/pkg/controller"
kube::codegen::gen_register \
  --boilerplate "$root/hack/boilerplate.go.txt" \
  "$root/pkg/apis"
kube::codegen::gen_client \
  --with-watch \
  --with-applyconfig \
  --output-dir "$root/pkg/generated" \
  --output-pkg "$module/pkg/generated" \
  --boilerplate "$root/hack/boilerplate.go.txt" \
  "$root/pkg/apis"
