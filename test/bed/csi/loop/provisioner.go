// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// minimumSize is what mkfs.xfs asks for (300 MB), rounded up. Smaller claims get this much.
const minimumSize = 320 << 20

// Provisioner makes and deletes volumes for claims.
type Provisioner struct {
	volumes volumes
}

// NewProvisioner returns a Provisioner of volumes whose files are in dir.
func NewProvisioner(dir string) *Provisioner { return &Provisioner{volumes: volumes{dir: dir}} }

// Provision makes the volume's file.
func (p *Provisioner) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if mode := o.PVC.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return nil, controller.ProvisioningFinished, fmt.Errorf("volume mode %s is not offered, only Filesystem", *mode)
	}
	request := o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]
	size := max(request.Value(), minimumSize)
	if err := p.volumes.grow(o.PVName, size); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			MountOptions:                  o.StorageClass.MountOptions,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(size, resource.BinarySI)},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: DriverName, VolumeHandle: o.PVName, FSType: "xfs",
			}},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the volume's file. While a node still has it mounted this fails and is tried again.
func (p *Provisioner) Delete(ctx context.Context, pv *corev1.PersistentVolume) error {
	if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != DriverName {
		return &controller.IgnoredError{Reason: "the volume is another driver's"}
	}
	return p.volumes.remove(ctx, pv.Spec.CSI.VolumeHandle)
}
