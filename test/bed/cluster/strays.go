// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Places outside the state directory where programs of the bed put files, whatever their settings say.
const (
	shimSockets   = "/run/containerd/s"               // containerd's shims
	containerLogs = "/var/log/containers"             // kubelets' links to the logs of containers
	cniResults    = "/var/lib/cni/results"            // what the CNI plugins answered, named by network
	devicePlugins = "/var/lib/kubelet/device-plugins" // every kubelet's, wherever its root directory is
)

// removeStrays removes the bed's files from those places, and a place itself if nothing else is in it.
func removeStrays(dir string) error {
	var errs []error
	for _, path := range strays(dir) {
		errs = append(errs, os.Remove(path))
	}
	for _, place := range []string{
		shimSockets, filepath.Join(filepath.Dir(shimSockets), "fifo"), filepath.Dir(shimSockets),
		containerLogs, cniResults, filepath.Dir(cniResults), devicePlugins, filepath.Dir(devicePlugins),
	} {
		_ = os.Remove(place) // fails if it is not empty or not there
	}
	return errors.Join(errs...)
}

// strays finds the bed's files in those places.
func strays(dir string) []string {
	var found []string
	for _, path := range append(list(shimSockets), filepath.Join(devicePlugins, "kubelet.sock")) {
		if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
			continue
		}
		// A socket that nobody listens on was left by a process that was killed.
		if connection, err := net.Dial("unix", path); err == nil {
			connection.Close()
		} else {
			found = append(found, path)
		}
	}
	for _, path := range list(containerLogs) {
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, dir+"/") {
			found = append(found, path)
		}
	}
	for _, path := range list(cniResults) {
		if ours(path) {
			found = append(found, path)
		}
	}
	return found
}

func list(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, "*")) // the only error is a bad pattern
	return paths
}

// ours tells whether an answer of a CNI plugin is of a container of a bed. Loopback's carry a common
// name, but all name the namespace's path, which is below the node's state directory.
func ours(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && bytes.Contains(data, []byte(prefix))
}
