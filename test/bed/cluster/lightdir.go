// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const temporaryPrefix = "unit-operator-light-"

// newTemporaryDir makes a state directory that names its process, and removes those of processes that
// were killed before they could.
func newTemporaryDir() (string, error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		if pid, ok := owner(dir); ok && syscall.Kill(pid, 0) == syscall.ESRCH {
			// Another user's, or just being removed by a third: either way not ours to fail over.
			_ = os.RemoveAll(dir)
		}
	}
	return os.MkdirTemp("", fmt.Sprintf("%s%d-", temporaryPrefix, os.Getpid()))
}

// owner reads the process id out of a temporary state directory's name.
func owner(dir string) (int, bool) {
	id, _, found := strings.Cut(strings.TrimPrefix(filepath.Base(dir), temporaryPrefix), "-")
	pid, err := strconv.Atoi(id)
	return pid, found && err == nil && pid > 0
}

// freePorts returns n different ports of loopback that nothing listens on at this moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all at the end, so that no port comes twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
