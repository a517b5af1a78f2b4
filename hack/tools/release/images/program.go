// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Program is a command of the tree, ./cmd/NAME, that has an image.
type Program struct {
	Name        string
	Title       string
	Description string
}

// Programs are those that a release has images of.
var Programs = []Program{
	{"unit-operator", "unit-operator", "Runs MySQL, PostgreSQL and ProxySQL on Kubernetes"},
	{"unit-agent", "unit-agent", "The agent of unit-operator, which is copied into the pods of databases"},
}

// Platforms are those that a release is built for.
var Platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// Release is what an image says of its origin.
type Release struct {
	// Version is the image's tag as well.
	Version string
	Commit  string
	// Date stands wherever a format asks for a time.
	Date time.Time
	// LinkerFlags are those of `make build`.
	LinkerFlags string
}

// User is the numeric user and group that programs run as: the kubelet can tell that it
// is not root.
const User = "65532:65532"

// repository of an image where nobody has named a registry.
func (p Program) repository() string { return "upmio/" + p.Name }

// source is where the code is, as its module path says.
const source = "https://github.com/upmio/unit-operator"

// labels are the standard ones of OCI, in the image's configuration and as annotations of
// its index.
func (p Program) labels(r Release) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       p.Title,
		"org.opencontainers.image.description": p.Description,
		"org.opencontainers.image.version":     r.Version,
		"org.opencontainers.image.revision":    r.Commit,
		"org.opencontainers.image.created":     r.Date.UTC().Format(time.RFC3339),
		"org.opencontainers.image.source":      source,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}
