// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Config is the part of an image's configuration that the bed uses. Empty fields are left out.
type Config struct {
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      []string
	ExposedPorts []string
	StopSignal   string
	Labels       map[string]string
}

// configJSON is the image configuration's form (OCI image-spec, config.md).
type configJSON struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       settings  `json:"config"`
	RootFS       rootfs    `json:"rootfs"`
	History      []history `json:"history"`
}

type settings struct {
	User         string              `json:"User,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
}

type rootfs struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	CreatedBy string `json:"created_by"`
}

// manifest is an entry of a docker archive's manifest.json.
type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (c Config) encode(diffID string) ([]byte, error) {
	return json.Marshal(configJSON{
		Architecture: runtime.GOARCH,
		OS:           "linux",
		Config: settings{
			User: c.User, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
			Volumes: set(c.Volumes), ExposedPorts: set(c.ExposedPorts), StopSignal: c.StopSignal, Labels: c.Labels,
		},
		RootFS:  rootfs{Type: "layers", DiffIDs: []string{diffID}},
		History: []history{{CreatedBy: "unit-operator test bed"}},
	})
}

func set(names []string) map[string]struct{} {
	s := map[string]struct{}{}
	for _, name := range names {
		s[name] = struct{}{}
	}
	return s
}

// writeArchive writes an image of one layer (a tar archive at the path layer) to the path out, in the
// form of `docker save`.
func writeArchive(out, layer string, config Config, references []string) (err error) {
	diffID, err := digest(layer)
	if err != nil {
		return err
	}
	configData, err := config.encode("sha256:" + diffID)
	if err != nil {
		return err
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(configData))
	manifestData, err := json.Marshal([]manifest{{Config: configName, RepoTags: references, Layers: []string{diffID + ".tar"}}})
	if err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := tar.NewWriter(file)
	for _, entry := range []struct {
		name string
		data []byte
	}{{configName, configData}, {"manifest.json", manifestData}} {
		if err := archive.WriteHeader(&tar.Header{Name: entry.name, Mode: 0o644, Size: int64(len(entry.data))}); err != nil {
			return err
		}
		if _, err := archive.Write(entry.data); err != nil {
			return err
		}
	}
	if err := appendFile(archive, diffID+".tar", layer); err != nil {
		return err
	}
	return archive.Close()
}

func appendFile(archive *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

func digest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
