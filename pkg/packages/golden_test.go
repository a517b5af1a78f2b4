// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/configtemplate"
)

var update = flag.Bool("update", false, "write testdata/golden")

// variant is a unit to render for.
type variant struct {
	name    string
	version string
	facts   func(*configtemplate.Facts)
	values  map[string]any
}

// versions to render each package for; the first is the golden files' base.
var versions = map[string][]string{
	"mysql-5.7":     {"5.7.44"},
	"mysql-8":       {"8.3.0", "8.1.0", "8.2.0"},
	"mysql-8.0":     {"8.0.41", "8.0.11", "8.0.25", "8.0.28"},
	"mysql-8.4":     {"8.4.6"},
	"mysql-9":       {"9.6.0", "9.0.1", "9.3.0"},
	"mysql-9.7":     {"9.7.4"},
	"postgresql-12": {"12.22"},
	"postgresql-13": {"13.23"},
	"postgresql-14": {"14.23"},
	"postgresql-15": {"15.12"},
	"postgresql-16": {"16.14"},
	"postgresql-17": {"17.6"},
	"postgresql-18": {"18.1"},
	"proxysql-2":    {"2.7.1", "2.4.6"},
	"proxysql-3":    {"3.0.2"},
}

var archModes = map[string][]string{
	"mysql":      {"", "rpl_async", "rpl_semi_sync", "group_replication"},
	"postgresql": {"", "rpl_async", "rpl_sync"},
	"proxysql":   {""},
}

// baseFacts are those of a standalone unit with 4 GiB and 100 GiB.
func baseFacts(version configtemplate.Version, p *Package, unitType string) configtemplate.Facts {
	facts := configtemplate.Facts{
		Unit: configtemplate.Unit{
			Name: "cluster-0", Namespace: "default", Set: "cluster",
			Host:     "cluster-0.cluster-headless-svc.default",
			ServerID: configtemplate.ServerID("0b1d7bfe-0000-4000-8000-000000000000"),
		},
		Version:   version,
		Memory:    4 << 30,
		CPU:       2000,
		DataSize:  100 << 30,
		Ports:     map[string]int32{},
		DataMount: "/DATA_MOUNT",
	}
	for _, port := range p.Ports {
		facts.Ports[port.Name] = port.ContainerPort
	}
	facts.Port = facts.Ports[unitType]
	return facts
}

func variants(unitType string, versions []string) []variant {
	all := []variant{{name: "base", version: versions[0]}}
	for _, mode := range archModes[unitType] {
		for _, memory := range []struct {
			name  string
			bytes int64
		}{{"512Mi", 512 << 20}, {"4Gi", 4 << 30}, {"64Gi", 64 << 30}, {"no limit", 0}} {
			all = append(all, variant{
				name:    fmt.Sprintf("ARCH_MODE=%q, memory %s", mode, memory.name),
				version: versions[0],
				facts: func(f *configtemplate.Facts) {
					f.ArchMode, f.Managed, f.Memory = mode, mode != "", memory.bytes
				},
			})
		}
	}
	for _, version := range versions[1:] {
		for _, mode := range archModes[unitType] {
			all = append(all, variant{
				name:    fmt.Sprintf("version %s, ARCH_MODE=%q", version, mode),
				version: version,
				facts:   func(f *configtemplate.Facts) { f.ArchMode, f.Managed = mode, mode != "" },
			})
		}
	}
	return append(all,
		variant{name: "1 GiB of storage", version: versions[0], facts: func(f *configtemplate.Facts) { f.DataSize = 1 << 30 }},
		variant{name: "a log mount", version: versions[0], facts: func(f *configtemplate.Facts) { f.LogMount = "/LOG_MOUNT" }},
		variant{name: "TLS", version: versions[0], facts: func(f *configtemplate.Facts) {
			f.TLS = configtemplate.TLS{CA: "/CERT_MOUNT/ca.crt", Cert: "/CERT_MOUNT/tls.crt", Key: "/CERT_MOUNT/tls.key"}
		}},
		variant{name: "TLS required", version: versions[0], facts: func(f *configtemplate.Facts) {
			f.TLS = configtemplate.TLS{Cert: "/etc/ssl/certs/server.crt", Key: "/etc/ssl/certs/server.key", Mode: "REQUIRED"}
		}},
		variant{name: "other ports and a long name", version: versions[0], facts: func(f *configtemplate.Facts) {
			f.Port, f.Ports = 13306, map[string]int32{unitType: 13306}
			f.Unit.Name = strings.Repeat("n", 60) + "-0"
			f.Unit.Host = f.Unit.Name + ".svc.default"
		}},
		variant{name: "options", version: versions[0], values: map[string]any{"options": map[string]any{
			"max_connections": int64(7), "some_text": "a b", "some_flag": false,
		}}},
	)
}

func render(t *testing.T, p *Package, unitType string, v variant) map[string][]byte {
	t.Helper()
	version, err := configtemplate.ParseVersion(v.version)
	if err != nil {
		t.Fatal(err)
	}
	facts := baseFacts(version, p, unitType)
	if v.facts != nil {
		v.facts(&facts)
	}
	out, err := configtemplate.Render(configtemplate.Input{
		Type:  unitType,
		Files: p.ConfigFiles,
		Values: []configtemplate.Layer{
			{Name: "shared", Values: configtemplate.SharedValues(map[string]string{"service_group_uid": "x"})},
			{Name: "package", Values: p.Values},
			{Name: "unit", Values: v.values},
		},
		Facts: facts,
	})
	if err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	return out.Files
}

// Each package has one golden file: the base in full, every other variant as the
// lines that differ from it. go test ./pkg/packages -run Golden -update writes
// them; read the difference before committing it.
func TestGolden(t *testing.T) {
	s := artifacts(t)
	for _, name := range s.names() {
		request := requestOf(t, s, name)
		if request.Edition != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if len(versions[name]) == 0 {
				t.Fatal("no versions to render it for: add them to this test")
			}
			p, err := Resolve(s, Request{Type: request.Type, Version: versions[name][0]})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			var base map[string][]byte
			for _, v := range variants(string(request.Type), versions[name]) {
				files := render(t, p, string(request.Type), v)
				checkText(t, v.name, files)
				fmt.Fprintf(&b, "=== %s\n", v.name)
				if base == nil {
					base = files
				}
				for _, file := range slices.Sorted(maps.Keys(files)) {
					fmt.Fprintf(&b, "--- %s\n", file)
					if v.name == "base" {
						b.Write(files[file])
						continue
					}
					b.WriteString(difference(string(base[file]), string(files[file])))
				}
			}
			path := filepath.Join("testdata", "golden", name+".golden")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The enterprise editions differ in their image and pull secret, not in their
// configuration.
func TestEnterpriseHasTheSameConfiguration(t *testing.T) {
	s := artifacts(t)
	for _, name := range s.names() {
		request := requestOf(t, s, name)
		if request.Edition == "" {
			continue
		}
		enterprise, err := Resolve(s, request)
		if err != nil {
			t.Fatal(err)
		}
		request.Edition = ""
		community, err := Resolve(s, request)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(community.ConfigFiles, enterprise.ConfigFiles); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if diff := cmp.Diff(community.Values, enterprise.Values); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// What only a restart can change must not depend on what changes while the
// server runs: memory and cpu are resized in place.
func TestMemoryChangesOnlyDynamicOptions(t *testing.T) {
	dynamic := map[string][]string{
		"mysql": {
			"innodb_buffer_pool_size", "innodb_redo_log_capacity", "temptable_max_ram", "max_connections",
			"table_open_cache", "table_definition_cache", "innodb_log_buffer_size",
			// Not dynamic, but without them a unit of 512 MiB spends a third of its
			// memory on them. They appear only below 1 GiB.
			"performance_schema_accounts_size", "performance_schema_hosts_size", "performance_schema_users_size",
			"performance_schema_error_size",
		},
		// shared_buffers is the one that the design names.
		"postgresql": {
			"shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size",
		},
		"proxysql": {"query_cache_size_MB"},
	}
	s := artifacts(t)
	for _, name := range s.names() {
		request := requestOf(t, s, name)
		if request.Edition != "" {
			continue
		}
		unitType := string(request.Type)
		p, err := Resolve(s, Request{Type: request.Type, Version: versions[name][0]})
		if err != nil {
			t.Fatal(err)
		}
		base := render(t, p, unitType, variant{version: versions[name][0]})
		for _, memory := range []int64{0, 256 << 20, 512 << 20, 2 << 30, 1 << 40} {
			files := render(t, p, unitType, variant{version: versions[name][0], facts: func(f *configtemplate.Facts) {
				f.Memory, f.CPU = memory, 500
			}})
			for file := range files {
				for line := range strings.Lines(difference(string(base[file]), string(files[file]))) {
					option, _, ok := strings.Cut(strings.Trim(line[1:], " \t\n"), " = ")
					if !ok || !slices.Contains(dynamic[unitType], option) {
						t.Errorf("%s: with %d bytes of memory this line changes: %s", name, memory, line)
					}
				}
			}
		}
	}
}

// checkText finds what a template's author overlooks.
func checkText(t *testing.T, variant string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		text := string(content)
		if !strings.HasSuffix(text, "\n") || strings.HasPrefix(text, "\n") || strings.Contains(text, "\n\n\n") {
			t.Errorf("%s: %s has stray empty lines or no end", variant, name)
		}
		for line := range strings.Lines(text) {
			if strings.TrimRight(line, " \t\n") != strings.TrimRight(line, "\n") {
				t.Errorf("%s: %s: blanks at the end of %q", variant, name, line)
			}
		}
		if strings.Contains(text, "<no value>") || strings.Contains(text, "%!") {
			t.Errorf("%s: %s:\n%s", variant, name, text)
		}
	}
}

// difference is the lines that a loses (-) and b has instead (+).
func difference(a, b string) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	// common[i][j] is the length of the longest common subsequence of x[i:], y[j:].
	common := make([][]int, len(x)+1)
	for i := range common {
		common[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || common[i+1][j] >= common[i][j+1]):
			out.WriteString("-" + x[i])
			i++
		default:
			out.WriteString("+" + y[j])
			j++
		}
	}
	return out.String()
}
