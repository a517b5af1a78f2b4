// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/operation"
)

// atStart are the variables that the server reads when it starts only.
var atStart = []string{"mysql-threads", "mysql-stacksize", "pgsql-threads", "pgsql-stacksize"}

// scopeOf a variable in the admin interface's statements; empty if it has none.
func scopeOf(name string) string {
	group, _, _ := strings.Cut(name, "-")
	return map[string]string{"mysql": "MYSQL", "pgsql": "PGSQL", "admin": "ADMIN"}[group]
}

func scopes(assignments []*assignment) []string {
	var out []string
	for _, x := range assignments {
		if s := scopeOf(x.name); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// written is a value as ProxySQL writes it, for a variable that has the value
// current: booleans are true and false, integers are without a suffix.
func written(v operation.Value, current string) string {
	if current == "true" || current == "false" {
		switch strings.ToLower(strings.TrimSpace(v.Text)) {
		case "true", "on", "1":
			return "true"
		case "false", "off", "0":
			return "false"
		}
	}
	if _, err := strconv.ParseInt(current, 10, 64); err == nil {
		if n, ok := integer(strings.TrimSpace(v.Text)); ok {
			return strconv.FormatInt(n, 10)
		}
	}
	return v.Text
}

// integer reads one as option files write it.
func integer(s string) (int64, bool) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("KMGT", strings.ToUpper(s)[len(s)-1]); i >= 0 {
			shift, s = 10*(i+1), s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n<<shift>>shift != n {
		return 0, false
	}
	return n << shift, true
}

// same is true of values that the server writes differently.
func same(now, value string) bool { return strings.EqualFold(now, value) }

func confidential(name string) bool {
	return strings.Contains(name, "password") || strings.Contains(name, "credentials")
}
