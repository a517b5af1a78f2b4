// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// Release is what a packed chart installs.
type Release struct {
	Version string
	// Registry has the images, by these digests.
	Registry, OperatorDigest, AgentDigest string
	Date                                  time.Time
}

// semver is what Helm takes for a version.
var semver = regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// version of the chart: that of the release, or one below all releases for a commit that
// has none.
func version(release string) string {
	if semver.MatchString(release) {
		return strings.TrimPrefix(release, "v")
	}
	return "0.0.0-at-" + release
}

// Pack writes the chart in dir to the directory out, and returns the path of the file.
func Pack(dir, out string, r Release) (string, error) {
	c, err := load(dir, r)
	if err != nil {
		return "", err
	}
	return util.Save(c, out)
}

// load reads the chart in dir, fit for a release.
func load(dir string, r Release) (*chart.Chart, error) {
	c, err := loader.LoadDir(dir)
	if err != nil {
		return nil, err
	}
	c.Metadata.Version, c.Metadata.AppVersion = version(r.Version), r.Version
	// The same from every clone.
	c.ModTime, c.SchemaModTime = r.Date, r.Date
	for _, files := range [][]*common.File{c.Templates, c.Files, c.Raw} {
		for _, f := range files {
			f.ModTime = r.Date
		}
	}
	for _, f := range c.Raw {
		if f.Name == util.ValuesfileName {
			if f.Data, err = named(f.Data, r); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// named puts the images of a release into the text of values.yaml, with its comments.
func named(values []byte, r Release) ([]byte, error) {
	text := string(values)
	for _, change := range [][2]string{
		{"\n  registry: registry.example.com/team\n", "\n  registry: " + r.Registry + "\n"},
		{"\n  operator:\n    digest: \"\"\n", "\n  operator:\n    digest: " + r.OperatorDigest + "\n"},
		{"\n  agent:\n    digest: \"\"\n", "\n  agent:\n    digest: " + r.AgentDigest + "\n"},
	} {
		if strings.Count(text, change[0]) != 1 {
			return nil, fmt.Errorf("values.yaml does not have %q once", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return []byte(text), nil
}
