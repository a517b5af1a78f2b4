// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"os"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Node is the CSI node service of one node: what its kubelet asks.
type Node struct {
	csi.UnimplementedNodeServer
	id          string
	kubeletRoot string
	volumes     volumes
	// mu serialises the calls: two of them would race from looking to doing.
	mu sync.Mutex
}

// NewNode returns the node service of the node id, whose kubelet's mounts are below kubeletRoot. The
// volumes' files are in dir, which all nodes share.
func NewNode(id, kubeletRoot, dir string) *Node {
	return &Node{id: id, kubeletRoot: kubeletRoot, volumes: volumes{dir: dir}}
}

func (n *Node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.id}, nil
}

func (n *Node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	response := &csi.NodeGetCapabilitiesResponse{}
	for _, t := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		response.Capabilities = append(response.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: t}},
		})
	}
	return response, nil
}

// NodeStageVolume mounts the volume once per node.
func (n *Node) NodeStageVolume(ctx context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.GetVolumeCapability().GetMount() == nil {
		return nil, status.Error(codes.InvalidArgument, "only file system volumes are offered, not block volumes")
	}
	path, err := n.volumes.existing(r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	mounts, err := readMounts()
	if err != nil {
		return nil, internal(err)
	}
	if _, done := mounts[r.GetStagingTargetPath()]; done {
		return &csi.NodeStageVolumeResponse{}, nil
	}
	device, err := attach(ctx, path)
	if err != nil {
		return nil, internal(err)
	}
	if elsewhere := mounts.outside(device, n.kubeletRoot); elsewhere != "" {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is still mounted at %s, on another node", r.GetVolumeId(), elsewhere)
	}
	if err := format(ctx, device); err != nil {
		return nil, internal(err)
	}
	if err := os.MkdirAll(r.GetStagingTargetPath(), 0o750); err != nil {
		return nil, internal(err)
	}
	args := []string{"-t", "xfs"}
	for _, flag := range r.GetVolumeCapability().GetMount().GetMountFlags() {
		args = append(args, "-o", flag)
	}
	if _, err := run(ctx, "mount", append(args, device, r.GetStagingTargetPath())...); err != nil {
		return nil, internal(err)
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

// NodeUnstageVolume unmounts the volume and lets go of its loop device.
func (n *Node) NodeUnstageVolume(ctx context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := unmount(ctx, r.GetStagingTargetPath()); err != nil {
		return nil, internal(err)
	}
	path, err := n.volumes.path(r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	device, err := device(ctx, path)
	if err != nil {
		return nil, internal(err)
	}
	if device != "" {
		// The kernel detaches it when its last user is gone.
		if _, err := run(ctx, "losetup", "--detach", device); err != nil {
			return nil, internal(err)
		}
	}
	return &csi.NodeUnstageVolumeResponse{}, nil
}

// NodePublishVolume shows the staged volume to one pod.
func (n *Node) NodePublishVolume(ctx context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	mounts, err := readMounts()
	if err != nil {
		return nil, internal(err)
	}
	if _, done := mounts[r.GetTargetPath()]; done {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if _, staged := mounts[r.GetStagingTargetPath()]; !staged {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is not staged at %s", r.GetVolumeId(), r.GetStagingTargetPath())
	}
	if err := os.MkdirAll(r.GetTargetPath(), 0o750); err != nil {
		return nil, internal(err)
	}
	options := "bind"
	if r.GetReadonly() {
		options += ",ro"
	}
	if _, err := run(ctx, "mount", "-o", options, r.GetStagingTargetPath(), r.GetTargetPath()); err != nil {
		return nil, internal(err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume takes the volume from one pod.
func (n *Node) NodeUnpublishVolume(ctx context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := unmount(ctx, r.GetTargetPath()); err != nil {
		return nil, internal(err)
	}
	if err := os.Remove(r.GetTargetPath()); err != nil && !os.IsNotExist(err) {
		return nil, internal(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// NodeExpandVolume grows the file, the device and the mounted file system.
func (n *Node) NodeExpandVolume(ctx context.Context, r *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	path, err := n.volumes.existing(r.GetVolumeId())
	if err != nil {
		return nil, err
	}
	size := r.GetCapacityRange().GetRequiredBytes()
	if err := n.volumes.grow(r.GetVolumeId(), size); err != nil {
		return nil, internal(err)
	}
	device, err := device(ctx, path)
	if err != nil {
		return nil, internal(err)
	}
	if device == "" {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is not staged on this node", r.GetVolumeId())
	}
	if _, err := run(ctx, "losetup", "--set-capacity", device); err != nil {
		return nil, internal(err)
	}
	if _, err := run(ctx, "xfs_growfs", r.GetVolumePath()); err != nil {
		return nil, internal(err)
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: size}, nil
}

// NodeGetVolumeStats says how full a mounted volume is.
func (n *Node) NodeGetVolumeStats(_ context.Context, r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(r.GetVolumePath(), &s); err != nil {
		return nil, status.Errorf(codes.NotFound, "volume path %s: %v", r.GetVolumePath(), err)
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{
			Unit:      csi.VolumeUsage_BYTES,
			Total:     int64(s.Blocks) * s.Bsize,
			Available: int64(s.Bavail) * s.Bsize,
			Used:      int64(s.Blocks-s.Bfree) * s.Bsize,
		},
		{
			Unit:      csi.VolumeUsage_INODES,
			Total:     int64(s.Files),
			Available: int64(s.Ffree),
			Used:      int64(s.Files - s.Ffree),
		},
	}}, nil
}

func unmount(ctx context.Context, point string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if _, mounted := mounts[point]; !mounted {
		return nil
	}
	_, err = run(ctx, "umount", point)
	return err
}

func internal(err error) error { return status.Error(codes.Internal, err.Error()) }
