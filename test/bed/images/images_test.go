// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersionsAreUpstreams(t *testing.T) {
	for _, c := range []struct{ debian, want string }{
		{"9.7.4-2", "9.7.4"},
		{"17.12-0+deb13u1", "17.12"},
		{"1:2.7.1-1", "2.7.1"},
		{"8.4.0+dfsg-3", "8.4.0"},
		{"3.0", "3.0"},
	} {
		if got := upstream(c.debian); got != c.want {
			t.Errorf("upstream(%q) = %q, want %q", c.debian, got, c.want)
		}
	}
}

func TestTagsAreTheVersionAndItsShorterForms(t *testing.T) {
	for _, c := range []struct {
		version string
		want    []string
	}{
		{"9.7.4", []string{"9.7.4", "9.7", "9"}},
		{"17.12", []string{"17.12", "17"}},
		{"18", []string{"18"}},
	} {
		if diff := cmp.Diff(c.want, tags(c.version)); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", c.version, diff)
		}
	}
}

func TestArchiveNamesItsLayerAndConfigurationAsTheManifestSays(t *testing.T) {
	dir := t.TempDir()
	layer, out := filepath.Join(dir, "layer.tar"), filepath.Join(dir, "image.tar")
	if err := os.WriteFile(layer, []byte("a layer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeArchive(out, layer, Config{User: "999", Cmd: []string{"server"}, Volumes: []string{"/data"}}, []string{"example.com/a:1"}); err != nil {
		t.Fatal(err)
	}
	files := readArchive(t, out)
	var manifests []manifest
	if err := json.Unmarshal(files["manifest.json"], &manifests); err != nil {
		t.Fatal(err)
	}
	if len(manifests) != 1 || len(manifests[0].Layers) != 1 {
		t.Fatalf("the manifest is %+v, want one image of one layer", manifests)
	}
	if diff := cmp.Diff([]string{"example.com/a:1"}, manifests[0].RepoTags); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := string(files[manifests[0].Layers[0]]); got != "a layer" {
		t.Errorf("the layer holds %q", got)
	}
	var config configJSON
	if err := json.Unmarshal(files[manifests[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	if want := []string{"sha256:" + manifests[0].Layers[0][:64]}; !cmp.Equal(config.RootFS.DiffIDs, want) {
		t.Errorf("the configuration's layers are %v, want %v", config.RootFS.DiffIDs, want)
	}
	want := settings{User: "999", Cmd: []string{"server"}, Volumes: map[string]struct{}{"/data": {}}}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func readArchive(t *testing.T, path string) map[string][]byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	files := map[string][]byte{}
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheStandInForProxySQLCannotBeTakenForProxySQL(t *testing.T) {
	for _, c := range []struct {
		said, version string
		tags          []string
		labelled      bool
	}{
		{"ProxySQL version 2.7.1-16-g2726c27, codename Truls\n", "2.7.1", []string{"2.7.1", "2.7", "2"}, false},
		{"ProxySQL version 3.0.2, codename Truls\n", "3.0.2", []string{"3.0.2", "3.0", "3"}, false},
		{"ProxySQL version 2.7.1-stand-in, which is not ProxySQL\n", "2.7.1-stand-in", []string{"2.7.1-stand-in"}, true},
	} {
		version, err := proxysqlVersion(c.said)
		if err != nil || version != c.version {
			t.Errorf("the version of %q is %q, %v", c.said, version, err)
		}
		if diff := cmp.Diff(c.tags, tags(version)); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", version, diff)
		}
		if got := len(proxysql.config(version).Labels) > 0; got != c.labelled {
			t.Errorf("%s has a label: %v", version, got)
		}
	}
	if version, err := proxysqlVersion("proxysql: not found"); err == nil {
		t.Errorf("what does not say its version has %q", version)
	}
}

func TestANamedProxySQLMustBeThere(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "proxysql"), t.TempDir()} {
		t.Setenv(proxysqlEnv, path)
		if got, err := proxysqlProgram(t.Context(), nil); err == nil {
			t.Errorf("%s is taken for %s", path, got)
		}
	}
	path := filepath.Join(t.TempDir(), "proxysql")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(proxysqlEnv, path)
	if got, err := proxysqlProgram(t.Context(), nil); got != path || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTheExecutableOfAnImageIsItsLastLayers(t *testing.T) {
	dir := t.TempDir()
	layer := func(compressed bool, files map[string]string) string {
		t.Helper()
		var b bytes.Buffer
		out := io.WriteCloser(nopCloser{&b})
		if compressed {
			out = gzip.NewWriter(&b)
		}
		w := tar.NewWriter(out)
		writeAll(t, w, files)
		if err := errors.Join(w.Close(), out.Close()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	archive := filepath.Join(dir, "image.tar")
	file, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(file)
	writeAll(t, w, map[string]string{
		"1.tar": layer(false, map[string]string{"./usr/bin/proxysql": "old", "etc/x": "y"}),
		"2.tar": layer(true, map[string]string{"usr/bin/proxysql": "new"}),
		"3.tar": layer(false, map[string]string{"opt/usr/bin/proxysql": "another"}),
		// No layer of this image.
		"0.tar":         layer(false, map[string]string{"usr/bin/proxysql": "stray"}),
		"manifest.json": `[{"Config": "c.json", "Layers": ["1.tar", "2.tar", "3.tar"]}]`,
	})
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("UNIT_OPERATOR_CACHE", filepath.Join(dir, "cache"))
	t.Setenv(proxysqlEnv, archive)
	path, err := proxysqlProgram(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("it cannot be run: %v, %v", info.Mode(), err)
	}
	if err := extract(archive, "usr/bin/mysqld", filepath.Join(dir, "out")); err == nil {
		t.Error("a file that no layer has was found")
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// writeAll writes the files in no order: an archive has its layers in any.
func writeAll(t *testing.T, w *tar.Writer, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
}
