// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"os"
	"strings"
)

// mountTable maps mount points to the devices mounted there, of this process's mount namespace.
type mountTable map[string]string

func readMounts() (mountTable, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(data))
}

// parseMounts reads the format of proc(5): the mount point is the fifth field, the source the second
// after the separating hyphen.
func parseMounts(s string) (mountTable, error) {
	table := mountTable{}
	for line := range strings.Lines(s) {
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 5 || len(right) < 2 {
			return nil, fmt.Errorf("unexpected line in mountinfo: %q", line)
		}
		table[unescape.Replace(left[4])] = right[1]
	}
	return table, nil
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// outside returns a mount point of device that is not below root, or "".
func (t mountTable) outside(device, root string) string {
	for point, source := range t {
		if source == device && !strings.HasPrefix(point, root+"/") {
			return point
		}
	}
	return ""
}
