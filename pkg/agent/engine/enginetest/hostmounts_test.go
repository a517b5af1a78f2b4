// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVolumesOfNodesAreKnownFromTheMachinesOwnMounts(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:5 / /dev rw - devtmpfs devtmpfs rw
30 22 7:3 / /home rw - ext4 /dev/loop3 rw
40 22 7:0 / /bed/node-1/kubelet/plugins/globalmount rw,relatime shared:1 - xfs /dev/loop0 rw
41 22 7:0 / /bed/node-1/kubelet/pods/1/volumes/with\040space rw - xfs /dev/loop0 rw
42 22 0:60 / /bed/node-1/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw
43 22 0:61 / /bed/node-1/containerd/root rw - overlay overlay rw
`
	for _, tc := range []struct {
		name   string
		needed []string
		want   []string
	}{
		{"nothing is needed", nil, []string{
			"/home", "/bed/node-1/kubelet/plugins/globalmount", "/bed/node-1/kubelet/pods/1/volumes/with space",
			"/bed/node-1/kubelet/pods/1/volumes/token",
		}},
		{"what a needed path lies on stays", []string{"/home/me/servers", "/tmp/work"}, []string{
			"/bed/node-1/kubelet/plugins/globalmount", "/bed/node-1/kubelet/pods/1/volumes/with space",
			"/bed/node-1/kubelet/pods/1/volumes/token",
		}},
		{"a path that only begins alike does not keep it", []string{"/homes", "/bed/node-1/kubelet/pods/1/volumes/token"}, []string{
			"/home", "/bed/node-1/kubelet/plugins/globalmount", "/bed/node-1/kubelet/pods/1/volumes/with space",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := volumes(table, tc.needed...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := volumes("22 1 254:0 /\n"); err == nil {
		t.Error("a malformed table is no error")
	}
}
