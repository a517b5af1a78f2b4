// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

// Image is an image that can be loaded into the bed's nodes.
type Image struct {
	// Type is the UnitSet type of a database image, and empty for others.
	Type string `json:"type,omitempty"`
	// Version of the program in it, for databases: what UnitSet.spec.version takes.
	Version string `json:"version,omitempty"`
	// References are its names, the most exact first, with registry.
	References []string `json:"references"`
	// Key changes with the content. Archive is the path of a docker archive of it.
	Key     string `json:"key"`
	Archive string `json:"archive"`
}

// Versions maps the type of each database image among images to its version.
func Versions(images []Image) map[string]string {
	versions := map[string]string{}
	for _, image := range images {
		if image.Type != "" {
			versions[image.Type] = image.Version
		}
	}
	return versions
}
