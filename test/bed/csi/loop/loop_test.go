// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMountTableFindsAVolumeThatAnotherNodeUses(t *testing.T) {
	table, err := parseMounts(`26 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 26 7:0 / /bed/node-1/kubelet/plugins/globalmount rw,relatime shared:1 - xfs /dev/loop0 rw
41 26 7:1 / /bed/node-1/with\040space rw,relatime - xfs /dev/loop1 rw
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, device, root, want string }{
		{"its own mount does not count", "/dev/loop0", "/bed/node-1/kubelet", ""},
		{"another node's counts", "/dev/loop0", "/bed/node-2/kubelet", "/bed/node-1/kubelet/plugins/globalmount"},
		{"a root that is a prefix of another is not the same", "/dev/loop0", "/bed/node-1/kube", "/bed/node-1/kubelet/plugins/globalmount"},
		{"a device that is mounted nowhere is free", "/dev/loop7", "/bed/node-2/kubelet", ""},
		{"escaped mount points are read", "/dev/loop1", "/bed/node-2/kubelet", "/bed/node-1/with space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := table.outside(c.device, c.root); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMalformedMountTableIsAnError(t *testing.T) {
	if _, err := parseMounts("26 1 254:0 /\n"); err == nil {
		t.Error("got no error")
	}
}

func TestVolumeFilesGrowAndNeverShrink(t *testing.T) {
	v := volumes{dir: filepath.Join(t.TempDir(), "volumes")}
	size := func() int64 {
		t.Helper()
		path, err := v.existing("pvc-1")
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for _, step := range []struct{ ask, want int64 }{{1 << 30, 1 << 30}, {1 << 20, 1 << 30}, {2 << 30, 2 << 30}, {2 << 30, 2 << 30}} {
		if err := v.grow("pvc-1", step.ask); err != nil {
			t.Fatal(err)
		}
		if got := size(); got != step.want {
			t.Errorf("asked for %d: the file has %d bytes, want %d", step.ask, got, step.want)
		}
	}
}

func TestVolumeIDsStayInTheDirectory(t *testing.T) {
	v := volumes{dir: t.TempDir()}
	for _, id := range []string{"", ".", "..", "../x", "a/b"} {
		if _, err := v.path(id); status.Code(err) != codes.InvalidArgument {
			t.Errorf("id %q: got %v, want InvalidArgument", id, err)
		}
	}
	if _, err := v.existing("pvc-absent"); status.Code(err) != codes.NotFound {
		t.Errorf("a volume without file: got %v, want NotFound", err)
	}
}
