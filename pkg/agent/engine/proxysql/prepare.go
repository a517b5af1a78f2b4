// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Prepare implements engine.Engine. The credentials are made at the first one.
func (e *Engine) Prepare(_ context.Context, start engine.Start) error {
	rendered, ok := start.Files[configFile]
	if !ok {
		return fmt.Errorf("the configuration has no file %s", configFile)
	}
	c, err := e.ensureCredentials()
	if err != nil {
		return err
	}
	file, err := e.config(string(rendered), c)
	if err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	files := maps.Clone(start.Files)
	files[configFile] = []byte(file)
	if err := place.Files(e.env.ConfigDir, files, 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return e.writeClientFiles(c)
}

// config is the rendered file with what the agent owns: credentials and the SQL
// port.
func (e *Engine) config(rendered string, c credentials) (string, error) {
	file := rendered
	for _, s := range []struct{ group, name, value string }{
		{"admin_variables", "admin_credentials", adminUser + ":" + c.Admin.Reveal()},
		{"admin_variables", "stats_credentials", statsUser + ":" + c.Stats.Reveal()},
		{"mysql_variables", "interfaces", "0.0.0.0:" + strconv.Itoa(e.env.SQLPort)},
	} {
		var err error
		if file, err = set(file, s.group, s.name, s.value); err != nil {
			return "", err
		}
	}
	interfaces, err := get(file, "admin_variables", "mysql_ifaces")
	if err != nil {
		return "", err
	}
	switch {
	case interfaces == "":
		return set(file, "admin_variables", "mysql_ifaces", "127.0.0.1:"+e.adminPort())
	case !strings.Contains(strings.Trim(interfaces, "\"")+";", ":"+e.adminPort()+";"):
		return "", fmt.Errorf("mysql_ifaces is %s: the agent needs the admin interface on port %s", interfaces, e.adminPort())
	}
	return file, nil
}

// writeClientFiles makes mysql log in to the admin interface when somebody runs
// it in the container without further options.
func (e *Engine) writeClientFiles(c credentials) error {
	if e.env.HomeDir == "" {
		return nil
	}
	content := fmt.Sprintf("[client]\nuser=%s\npassword=%s\nhost=127.0.0.1\nport=%s\n", adminUser, c.Admin.Reveal(), e.adminPort())
	if err := place.Files(e.env.HomeDir, map[string][]byte{".my.cnf": []byte(content)}, 0o600); err != nil {
		return fmt.Errorf("writing the client option file: %w", err)
	}
	return nil
}
