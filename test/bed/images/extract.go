// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// extract writes the file called name of the image in a docker archive to the path out. Of several
// layers that have it the last one counts.
func extract(archive, name, out string) error {
	var layers []string
	err := eachEntry(archive, func(h *tar.Header, content io.Reader) error {
		if h.Name != "manifest.json" {
			return nil
		}
		var all []manifest
		if err := json.NewDecoder(content).Decode(&all); err != nil {
			return fmt.Errorf("%s: manifest.json: %w", archive, err)
		}
		if len(all) != 1 {
			return fmt.Errorf("%s holds %d images, want one", archive, len(all))
		}
		layers = all[0].Layers
		return nil
	})
	if err != nil {
		return err
	}
	// The archive has them in any order.
	last := -1
	err = eachEntry(archive, func(h *tar.Header, content io.Reader) error {
		i := slices.Index(layers, h.Name)
		if i <= last {
			return nil
		}
		found, err := extractLayer(content, name, out)
		if found {
			last = i
		}
		return err
	})
	if err == nil && last < 0 {
		err = fmt.Errorf("no layer of the image in %s has %s", archive, name)
	}
	return err
}

func eachEntry(archive string, visit func(*tar.Header, io.Reader) error) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	for entries := tar.NewReader(file); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if err := visit(h, entries); err != nil {
			return err
		}
	}
}

// extractLayer reads a layer, which may be compressed.
func extractLayer(content io.Reader, name, out string) (bool, error) {
	buffered := bufio.NewReader(content)
	layer := io.Reader(buffered)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if layer, err = gzip.NewReader(buffered); err != nil {
			return false, err
		}
	}
	for entries := tar.NewReader(layer); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if h.Typeflag != tar.TypeReg || path.Clean("/"+h.Name) != "/"+strings.TrimPrefix(name, "/") {
			continue
		}
		file, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
		if err != nil {
			return false, err
		}
		_, err = io.Copy(file, entries)
		return true, errors.Join(err, file.Close())
	}
}
