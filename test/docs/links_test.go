// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	pages := markdown(t)
	if !slices.Contains(pages, filepath.Join(root, "README.md")) {
		t.Fatal("README.md is not among the pages")
	}
	for _, page := range pages {
		links := linksOf(read(t, page))
		for _, link := range links {
			if problem := brokenLink(t, page, link); problem != "" {
				t.Errorf("%s: [](%s): %s", page, link, problem)
			}
		}
	}
}

func TestLinksOfFindsLinksOutsideCodeOnly(t *testing.T) {
	text := "a [b](c.md) and `[d](e.md)`\n```\n[f](g.md)\n```\n[h](i.md#j \"title\") ![k](l.png)\n[m]: n.md\n"
	if got, want := linksOf(text), []string{"c.md", "i.md#j", "l.png", "n.md"}; !slices.Equal(got, want) {
		t.Errorf("links are %q, want %q", got, want)
	}
}

func TestAnchorIsWhatAHeadingGets(t *testing.T) {
	for heading, want := range map[string]string{
		"What is installed":      "what-is-installed",
		"See it on this machine": "see-it-on-this-machine",
		"`make test`, and more":  "make-test-and-more",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("anchor(%q) is %q, want %q", heading, got, want)
		}
	}
}

// markdown lists the pages of the tree.
func markdown(t *testing.T) []string {
	t.Helper()
	var pages []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "_output" || name == "testdata"):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".md"):
			pages = append(pages, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

var (
	fence      = regexp.MustCompile("(?ms)^```.*?^```[ \t]*$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	inlineLink = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)
	definition = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	heading    = regexp.MustCompile(`(?m)^#{1,6}\s+(.*)$`)
	notAnchor  = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// linksOf are the targets of a page's links, code left out.
func linksOf(text string) []string {
	text = inlineCode.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	var links []string
	for _, pattern := range []*regexp.Regexp{inlineLink, definition} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			links = append(links, match[1])
		}
	}
	return links
}

// brokenLink says what is wrong with a link of a page; empty if nothing. Other
// sites are not asked.
func brokenLink(t *testing.T, page, link string) string {
	t.Helper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	path, fragment, _ := strings.Cut(link, "#")
	target := page
	if path != "" {
		if filepath.IsAbs(path) {
			return "an absolute path leads somewhere else in every clone"
		}
		target = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(target); err != nil {
		return err.Error()
	}
	if fragment == "" {
		return ""
	}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(read(t, target), ""), -1) {
		if anchor(match[1]) == fragment {
			return ""
		}
	}
	return "no heading there has this anchor"
}

// anchor of a heading, as GitHub makes it.
func anchor(heading string) string {
	text := notAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
	return strings.ReplaceAll(text, " ", "-")
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
