// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMirrorIsThatOfTheMachinesOwnRelease(t *testing.T) {
	const deb822 = `# a comment
Types: deb
URIs: http://mirror.example/debian
# a comment within
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`
	for _, c := range []struct {
		name    string
		sources []source
		want    string
		wantErr bool
	}{
		{name: "the newer format", sources: parseDeb822(deb822), want: "http://mirror.example/debian"},
		{
			name:    "a suite on a line of its own",
			sources: parseDeb822("Types: deb\nURIs: http://m\nSuites:\n bookworm\nComponents: main\n"),
			want:    "http://m",
		},
		{name: "a disabled source", sources: parseDeb822("Enabled: no\n" + deb822[len("# a comment\n"):]), wantErr: true},
		{
			name: "the one-line format with options",
			sources: parseOneLine("# deb http://no bookworm main\ndeb-src http://no bookworm main\n" +
				"deb http://security bookworm-security main\ndeb [arch=amd64 signed-by=/k.gpg] http://m bookworm main contrib # x\n"),
			want: "http://m",
		},
		{name: "other vendors' sources do not count", sources: parseOneLine("deb http://vendor stable main\ndeb http://v2 bookworm other\n"), wantErr: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := pick(c.sources, codename("NAME=Debian\nVERSION_CODENAME=bookworm\n"))
			if got != c.want || (err != nil) != c.wantErr {
				t.Errorf("got %q, %v; want %q, error %v", got, err, c.want, c.wantErr)
			}
		})
	}
}

func TestPackagesThatAreNotFullyInstalledAreMissing(t *testing.T) {
	got := lacking([]string{"runc", "ipset", "kmod"}, "runc installed\nipset config-files\n")
	if diff := cmp.Diff([]string{"ipset", "kmod"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
