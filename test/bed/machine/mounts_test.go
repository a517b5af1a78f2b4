// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelowADirectoryAreFoundByWholePathElements(t *testing.T) {
	all := parseMounts(`26 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 26 7:0 / /bed/node-1/globalmount rw,relatime shared:1 - xfs /dev/loop0 rw
41 26 7:1 / /bed/node-1/with\040space rw,relatime - xfs /dev/loop1 rw
42 26 7:2 / /bed/node-10/globalmount rw - xfs /dev/loop2 rw
43 26 0:4 net:[4026532280] /bed/node-1 rw - nsfs nsfs rw
not a line of the mount table
`)
	var got []mount
	for _, m := range all {
		if m.below("/bed/node-1") {
			got = append(got, m)
		}
	}
	want := []mount{
		{point: "/bed/node-1/globalmount", device: "/dev/loop0"},
		{point: "/bed/node-1/with space", device: "/dev/loop1"},
		{point: "/bed/node-1", device: "nsfs"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" {
		t.Errorf("mounts below /bed/node-1 (-want +got):\n%s", diff)
	}
}
