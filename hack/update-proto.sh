#!/usr/bin/env bash
# Regenerates the Go code of proto/. Needs Go and protoc; where protoc is missing
# and apt is at hand, root gets it from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/lib.sh
source hack/lib.sh
install_missing protoc protobuf-compiler
out=${1:-.}
mkdir -p bin
(cd hack/tools && go build -o ../../bin/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc)
PATH="$PWD/bin:$PATH" protoc -I . \
  --go_out="$out" --go_opt=paths=source_relative \
  --go-grpc_out="$out" --go-grpc_opt=paths=source_relative \
  proto/agent/v1/agent.proto proto/agent/v1/operations.proto proto/agent/v1/roles.proto
# The compiler's version differs from machine to machine and means nothing here.
sed -i -E '/^\/\/[[:space:]]+(- )?protoc/d' "$out"/proto/agent/v1/*.pb.go
