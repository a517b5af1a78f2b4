// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"path"
	"strings"
)

// ManifestSuffix follows the name of a backup in the name of its manifest.
const ManifestSuffix = ".manifest.json"

// partialSuffix follows it in that of the marker of a run that is under way.
const partialSuffix = ".partial.json"

// Location is the parsed address of a folder, a backup, or a part of one.
type Location struct {
	// Bucket of S3; empty for a directory.
	Bucket string
	// Folder holds backups. It is empty or ends in a slash, and never begins with one.
	Folder string
	// Name is what follows the folder, empty if the address ends in a slash.
	Name string
}

// ParseLocation parses s3://<bucket>/<prefix>[/] and file:///<path>[/].
func ParseLocation(s string) (Location, error) {
	var l Location
	rest, s3 := strings.CutPrefix(s, "s3://")
	if s3 {
		bucket, key, _ := strings.Cut(rest, "/")
		if bucket == "" || strings.ContainsAny(bucket, "@:?#") {
			return Location{}, failure(ReasonInvalid, "", nil, "the address names no valid bucket: it wants s3://<bucket>/<prefix>/")
		}
		l.Bucket, rest = bucket, key
	} else {
		var file bool
		if rest, file = strings.CutPrefix(s, "file:///"); !file {
			return Location{}, failure(ReasonInvalid, "", nil, "the address is neither s3://<bucket>/<prefix>/ nor file:///<path>/")
		}
	}
	if rest != "" && !cleanKey(strings.TrimSuffix(rest, "/")) {
		return Location{}, failure(ReasonInvalid, "", nil, "the address has an empty segment, . or ..")
	}
	l.Folder, l.Name = path.Split(rest)
	return l, nil
}

// IsFolder is true of an address that ends in a slash.
func (l Location) IsFolder() bool { return l.Name == "" }

// String is the address.
func (l Location) String() string {
	if l.Bucket != "" {
		return "s3://" + l.Bucket + "/" + l.Folder + l.Name
	}
	return "file:///" + l.Folder + l.Name
}

// at is the address of a key of the location's store.
func (l Location) at(key string) string {
	l.Folder, l.Name = key, ""
	return l.String()
}

// cleanKey is true of a key that has no empty segment, no . and no ..
func cleanKey(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "\x00\\") {
			return false
		}
	}
	return true
}
