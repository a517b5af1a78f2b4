// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is one archive that apt is configured with.
type source struct {
	uri    string
	suites []string
}

// Mirror returns the address of the Debian archive that this machine installs from, which holds every
// release: that of the first source of its own release.
func Mirror() (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	var sources []source
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			if strings.HasSuffix(path, ".sources") {
				sources = append(sources, parseDeb822(string(data))...)
			} else {
				sources = append(sources, parseOneLine(string(data))...)
			}
		}
	}
	return pick(sources, codename(string(release)))
}

// pick returns the address of the first source that has the release itself, not only its updates.
func pick(sources []source, codename string) (string, error) {
	for _, s := range sources {
		if slices.Contains(s.suites, codename) {
			return s.uri, nil
		}
	}
	return "", errors.New("apt's sources (/etc/apt/sources.list, /etc/apt/sources.list.d) name no Debian mirror for " + codename)
}

func codename(osRelease string) string {
	for line := range strings.Lines(osRelease) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name == "VERSION_CODENAME" {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// parseOneLine reads sources of the form: deb [options] URI SUITE COMPONENT...
func parseOneLine(s string) []source {
	var sources []source
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "deb" {
			continue
		}
		fields = fields[1:]
		if len(fields) > 0 && strings.HasPrefix(fields[0], "[") {
			end := slices.IndexFunc(fields, func(f string) bool { return strings.HasSuffix(f, "]") })
			fields = fields[end+1:]
		}
		if len(fields) >= 3 && slices.Contains(fields[2:], "main") {
			sources = append(sources, source{uri: fields[0], suites: fields[1:2]})
		}
	}
	return sources
}

// parseDeb822 reads sources of the form of sources.list(5), DEB822-STYLE FORMAT.
func parseDeb822(s string) []source {
	var sources []source
	var kept strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "#") { // comments may stand within a paragraph
			kept.WriteString(line)
		}
	}
	for paragraph := range strings.SplitSeq(kept.String(), "\n\n") {
		fields := map[string][]string{}
		var last string
		for line := range strings.Lines(paragraph) {
			name, value, found := strings.Cut(line, ":")
			if found && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
				last = strings.ToLower(strings.TrimSpace(name))
			} else {
				value = line
			}
			fields[last] = append(fields[last], strings.Fields(value)...)
		}
		enabled := !slices.Contains(fields["enabled"], "no")
		if enabled && slices.Contains(fields["types"], "deb") && slices.Contains(fields["components"], "main") && len(fields["uris"]) > 0 {
			sources = append(sources, source{uri: fields["uris"][0], suites: fields["suites"]})
		}
	}
	return sources
}
