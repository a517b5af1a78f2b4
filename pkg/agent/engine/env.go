// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Names of environment variables that only tests and people with a server
// outside Kubernetes set. Each overrides a path that is fixed in a pod.
const (
	// EnvStateDir overrides /unit-agent/state.
	EnvStateDir = "UNIT_AGENT_STATE_DIR"
	// EnvTLSDir overrides /unit-agent/tls.
	EnvTLSDir = "UNIT_AGENT_TLS_DIR"
	// EnvConfigDir overrides /etc/mysql, /etc/postgresql or /etc/proxysql.
	EnvConfigDir = "UNIT_AGENT_CONFIG_DIR"
	// EnvSocketDir overrides /var/run/mysqld, /var/run/postgresql or
	// /var/run/proxysql.
	EnvSocketDir = "UNIT_AGENT_SOCKET_DIR"
	// EnvServerDir is a directory searched for the server's programs before PATH.
	EnvServerDir = "UNIT_AGENT_SERVER_DIR"
)

// Env is where a unit's things are and what it is called: what the unit
// controller put into the container's environment.
type Env struct {
	// Name, Namespace and UID of the Unit; Set is the UnitSet's name, empty for a
	// standalone Unit.
	Name, Namespace, UID, Set string
	// Type is mysql, postgresql or proxysql; Version what the Unit asks for.
	Type, Version string
	// PodUID and PodIP of this pod.
	PodUID, PodIP string

	// DataMount is where the data storage is mounted; DataStorage its name.
	DataMount, DataStorage string
	// StateDir is shared by serve and supervise.
	StateDir string
	// TLSDir holds the agent's certificate; only serve has it.
	TLSDir string
	// ConfigDir is where the server's configuration is written: /etc/mysql and
	// alike.
	ConfigDir string
	// SocketDir holds the server's unix sockets and pid file. Both containers
	// mount it.
	SocketDir string
	// HomeDir gets the client option files; empty if the container has no HOME.
	HomeDir string
	// TmpDir is for small short-lived files ($TMPDIR or /tmp).
	TmpDir string
	// SecretDir is where the user's Secret is mounted (SECRET_MOUNT), key = user,
	// content = password. Empty if the unit has none.
	SecretDir string
	// ServerDir is searched for programs before PATH.
	ServerDir string

	// SQLPort is the port the server listens on for SQL.
	SQLPort int
	// ArchMode as the user gave it (ARCH_MODE): empty for a standalone unit.
	ArchMode string

	// Lookup reads a variable of the container's environment. Never nil in an Env
	// made by EnvFrom.
	Lookup func(name string) string
	// Environ is the whole environment, for children.
	Environ []string
}

// EnvFromOS reads the process's environment.
func EnvFromOS() (Env, error) {
	return EnvFrom(os.Environ())
}

// EnvFrom reads an environment in the form of os.Environ. It fails if what every
// unit needs is missing, naming the variable.
func EnvFrom(environ []string) (Env, error) {
	vars := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			vars[name] = value
		}
	}
	get := func(name string) string { return vars[name] }
	or := func(name, fallback string) string {
		if v := vars[name]; v != "" {
			return v
		}
		return fallback
	}

	env := Env{
		Name:        get("UNIT_NAME"),
		Namespace:   get("UNIT_NAMESPACE"),
		UID:         get("UNIT_UID"),
		Set:         get("UNIT_SET"),
		Type:        get("UNIT_TYPE"),
		Version:     get("UNIT_VERSION"),
		PodUID:      get("POD_UID"),
		PodIP:       get("POD_IP"),
		DataMount:   get("DATA_DIR_MOUNT"),
		DataStorage: get("UNIT_DATA_STORAGE"),
		StateDir:    or(EnvStateDir, "/unit-agent/state"),
		TLSDir:      or(EnvTLSDir, "/unit-agent/tls"),
		HomeDir:     get("HOME"),
		TmpDir:      or("TMPDIR", "/tmp"),
		SecretDir:   get("SECRET_MOUNT"),
		ServerDir:   get(EnvServerDir),
		ArchMode:    get("ARCH_MODE"),
		Lookup:      get,
		Environ:     environ,
	}
	for _, required := range []struct{ name, value string }{
		{"UNIT_NAME", env.Name},
		{"UNIT_NAMESPACE", env.Namespace},
		{"UNIT_UID", env.UID},
		{"UNIT_TYPE", env.Type},
		{"POD_UID", env.PodUID},
		{"DATA_DIR_MOUNT", env.DataMount},
	} {
		if required.value == "" {
			return Env{}, fmt.Errorf("environment variable %s is not set: the unit controller sets it in every container that runs unit-agent", required.name)
		}
	}

	var confDir, socketDir string
	switch env.Type {
	case "mysql":
		confDir, socketDir, env.SQLPort = "/etc/mysql", "/var/run/mysqld", 3306
	case "postgresql":
		confDir, socketDir, env.SQLPort = "/etc/postgresql", "/var/run/postgresql", 5432
	case "proxysql":
		confDir, socketDir, env.SQLPort = "/etc/proxysql", "/var/run/proxysql", 6033
	default:
		confDir, socketDir = "/etc/"+env.Type, "/var/run/"+env.Type
	}
	env.ConfigDir = or(EnvConfigDir, confDir)
	env.SocketDir = or(EnvSocketDir, socketDir)
	if port := get("UNIT_SQL_PORT"); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return Env{}, fmt.Errorf("environment variable UNIT_SQL_PORT is %q: it must be a port number", port)
		}
		env.SQLPort = n
	}
	return env, nil
}

// DataDir is the data directory: everything that must move together.
func (e Env) DataDir() string { return filepath.Join(e.DataMount, "data") }

// AgentDir holds the agent's own files on the data volume: identity, journal,
// lock, side directories.
func (e Env) AgentDir() string { return filepath.Join(e.DataMount, ".unit-agent") }

// SideDir is a directory on the data volume's file system, so that what is made
// there can be renamed to DataDir.
func (e Env) SideDir(name string) string { return filepath.Join(e.AgentDir(), name) }

// Owns says whether a path lies in a directory in which the agent or its server lay
// their own files, or such a directory in it.
func (e Env) Owns(path string) bool {
	path = realPath(path)
	for _, dir := range []string{e.DataDir(), e.AgentDir(), e.StateDir, e.ConfigDir, e.SocketDir, e.SecretDir} {
		if dir == "" {
			continue
		}
		if inside(realPath(dir), path) || inside(path, realPath(dir)) && path != "/" && path != filepath.Clean(e.DataMount) {
			return true
		}
	}
	return false
}

func inside(dir, path string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// realPath follows the links of what there is of a path.
func realPath(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil || path == "/" || path == "." {
		if err != nil {
			return path
		}
		return real
	}
	return filepath.Join(realPath(filepath.Dir(path)), filepath.Base(path))
}

// Program finds one of the server's programs in ServerDir, else on PATH. The
// result is absolute.
func (e Env) Program(name string) (string, error) {
	dirs := filepath.SplitList(e.Lookup("PATH"))
	if e.ServerDir != "" {
		dirs = append([]string{e.ServerDir}, dirs...)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w (searched %s)", name, exec.ErrNotFound, strings.Join(dirs, string(filepath.ListSeparator)))
}
