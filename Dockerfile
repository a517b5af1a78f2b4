# The images of the operator and the agent, for those who build with Docker:
#
#   docker build --target unit-operator -t REGISTRY/unit-operator:TAG .
#   docker build --target unit-agent -t REGISTRY/unit-agent:TAG .
#
# `make images` needs no Docker and gives everybody the same digests; a release is made so.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
ARG VERSION=dev COMMIT=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY artifacts artifacts
COPY cmd cmd
COPY pkg pkg
COPY proto proto
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
  -ldflags "-s -w -X github.com/upmio/unit-operator/pkg/version.Version=$VERSION -X github.com/upmio/unit-operator/pkg/version.Commit=$COMMIT" \
  -o /out/ ./cmd/unit-operator ./cmd/unit-agent

FROM scratch AS unit-agent
COPY --from=build /out/unit-agent /unit-agent
USER 65532:65532
ENTRYPOINT ["/unit-agent"]

FROM scratch AS unit-operator
COPY --from=build /out/unit-operator /unit-operator
USER 65532:65532
ENTRYPOINT ["/unit-operator"]
