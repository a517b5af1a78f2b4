// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/spdx/tools-golang/json"
)

const root = "../../../.."

var release = Release{Version: "v1.2.3", Commit: "0123456789ab", Date: time.Unix(1_000_000_000, 0), LinkerFlags: "-s -w"}

// copied are what the Dockerfile copies: all that programs are built from.
var copied = regexp.MustCompile(`(?m)^COPY (\w[\w. ]*) \S+$`)

// sources are what a clone has of what programs are built from.
func sources(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	// What is not committed yet counts, as for those who build here.
	const copies = `git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r file; do [ ! -e "$file" ] || echo "$file"; done | tar -cf - -T - | tar -xf - -C "$0"`
	args := []string{"-euo", "pipefail", "-c", copies, dir}
	for _, line := range copied.FindAllSubmatch(dockerfile, -1) {
		args = append(args, strings.Fields(string(line[1]))...)
	}
	cmd := exec.CommandContext(t.Context(), "bash", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func TestTheDockerfileMakesTheSameOfTheSameSources(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range Programs {
		stage := fmt.Sprintf("FROM scratch AS %s\nCOPY --from=build /out/%s /%s\nUSER %s\nENTRYPOINT [\"/%s\"]\n", program.Name, program.Name, program.Name, User, program.Name)
		if !strings.Contains(string(dockerfile), stage) {
			t.Errorf("the Dockerfile lacks this stage:\n%s", stage)
		}
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-s -w"} {
		if !strings.Contains(string(dockerfile), flag) {
			t.Errorf("the Dockerfile builds without %s", flag)
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/...")
	list.Dir = sources(t)
	if out, err := list.CombinedOutput(); err != nil {
		t.Errorf("the Dockerfile does not copy all sources: %v\n%s", err, out)
	}
}

// small is a tree whose programs are built in no time, also for other platforms.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range map[string]string{
		"go.mod":                    "module example.com/small\n\ngo 1.26.0\n",
		"cmd/unit-agent/main.go":    "package main\n\nfunc main() { print(\"agent\") }\n",
		"cmd/unit-operator/main.go": "package main\n\nfunc main() { print(\"operator\") }\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTwoClonesInTwoDirectoriesMakeTheSameImage(t *testing.T) {
	// This machine's platform: what its other builds compile is compiled already.
	platforms := []v1.Platform{{OS: "linux", Architecture: runtime.GOARCH}}
	var digests []v1.Hash
	var files [][]byte
	for _, flags := range []string{"-buildvcs=auto", "-trimpath=false"} {
		t.Setenv("GOFLAGS", flags)
		out := t.TempDir()
		digest, err := Build(t.Context(), sources(t), Programs[1], platforms, release, out)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
		var all []byte
		for _, suffix := range []string{".tar", ".spdx.json"} {
			content, err := os.ReadFile(filepath.Join(out, "unit-agent-linux-"+runtime.GOARCH+suffix))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, content...)
			if suffix == ".spdx.json" {
				checkModules(t, content)
			}
		}
		files = append(files, all)
		if bytes.Contains(all, []byte(out)) {
			t.Errorf("%s is in what was made", out)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("digests differ: %v", digests)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the files next to the layouts differ")
	}
}

func TestWhatIsInAnImage(t *testing.T) {
	out := t.TempDir()
	digest, err := Build(t.Context(), small(t), Programs[1], Platforms, release, out)
	if err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(filepath.Join(out, "unit-agent.digest")); err != nil || string(written) != digest.String()+"\n" {
		t.Errorf("unit-agent.digest has %q, %v; want %s", written, err, digest)
	}
	found, version, err := read(filepath.Join(out, "unit-agent"))
	if err != nil || version != "v1.2.3" {
		t.Fatalf("version %q, %v", version, err)
	}
	manifest, err := found.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != types.OCIImageIndex || len(manifest.Manifests) != len(Platforms) || len(found.bills) != len(Platforms) {
		t.Fatalf("%s of %d images and %d lists", manifest.MediaType, len(manifest.Manifests), len(found.bills))
	}
	if manifest.Annotations["org.opencontainers.image.revision"] != release.Commit {
		t.Errorf("annotations %v", manifest.Annotations)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for i, descriptor := range manifest.Manifests {
		platform := Platforms[i]
		t.Run(platform.Architecture, func(t *testing.T) {
			if descriptor.Platform == nil || !descriptor.Platform.Equals(platform) || descriptor.MediaType != types.OCIManifestSchema1 {
				t.Errorf("the index says %s, %s", descriptor.Platform, descriptor.MediaType)
			}
			image, err := found.index.Image(descriptor.Digest)
			if err != nil {
				t.Fatal(err)
			}
			binary := checkImage(t, image, platform)
			program, err := elf.NewFile(bytes.NewReader(binary))
			if err != nil || program.Machine != machines[platform.Architecture] {
				t.Errorf("the program is for %v, %v", program.Machine, err)
			}
			if section := program.Section(".interp"); section != nil {
				t.Error("the program is not static")
			}
			loaded, err := tarball.ImageFromPath(filepath.Join(out, "unit-agent-linux-"+platform.Architecture+".tar"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := configName(t, loaded), configName(t, image); got != want {
				t.Errorf("docker load would give image %v, the layout has %v", got, want)
			}
			checkBill(t, found.bills[i], descriptor, binary)
		})
	}
}

// configName is what docker calls an image's id.
func configName(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	hash, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// checkImage returns the program.
func checkImage(t *testing.T, image v1.Image, platform v1.Platform) []byte {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != platform.OS || config.Architecture != platform.Architecture || !config.Created.Equal(release.Date) {
		t.Errorf("for %s/%s, created %v", config.OS, config.Architecture, config.Created)
	}
	if c := config.Config; c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/unit-agent" || len(c.Cmd) > 0 {
		t.Errorf("user %q, entrypoint %q, command %q", c.User, c.Entrypoint, c.Cmd)
	}
	for label, want := range map[string]string{
		"org.opencontainers.image.version":  "v1.2.3",
		"org.opencontainers.image.revision": "0123456789ab",
		"org.opencontainers.image.created":  "2001-09-09T01:46:40Z",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.title":    "unit-agent",
	} {
		if got := config.Config.Labels[label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	reader, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var names []string
	var binary []byte
	archive := tar.NewReader(reader)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(release.Date) || header.Mode&0o7022 != 0 {
			t.Errorf("%s: owner %d:%d, mode %o, of %v", header.Name, header.Uid, header.Gid, header.Mode, header.ModTime)
		}
		if header.Name == "unit-agent" {
			if binary, err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := strings.Join(names, " "); got != "etc/ etc/passwd unit-agent" {
		t.Errorf("the image holds %s", got)
	}
	return binary
}

// checkBill checks the list of what a program was built from, which refers to its image.
func checkBill(t *testing.T, artifact v1.Image, of v1.Descriptor, binary []byte) {
	t.Helper()
	manifest, err := artifact.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Subject == nil || manifest.Subject.Digest != of.Digest || manifest.Config.MediaType != billType {
		t.Errorf("%s refers to %+v", manifest.Config.MediaType, manifest.Subject)
	}
	layers, err := artifact.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	reader, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	document, err := json.Read(reader)
	if err != nil {
		t.Fatal(err)
	}
	described := document.Packages[0]
	if described.PackageName != "unit-agent" || described.PackageVersion != "v1.2.3" {
		t.Errorf("it describes %s %s", described.PackageName, described.PackageVersion)
	}
	if sum := described.PackageChecksums[0].Value; sum != hashOf(binary) {
		t.Errorf("its program has the sum %s, the image's %s", sum, hashOf(binary))
	}
}
