// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

const (
	unitsPerSet = 3
	// creators that make sets at a time.
	creators = 8
)

func setName(i int) string { return fmt.Sprintf("set-%04d", i) }

// namespace with what all its sets share.
func (p *plane) namespace(ctx context.Context, name string) error {
	_, err := p.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = p.kube.CoreV1().Secrets(name).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "users"}, StringData: map[string]string{"root": "r", "replication": "r"},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = p.kube.CoreV1().ConfigMaps(name).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "shared"},
		Data: map[string]string{
			"service_group_uid": "0b7cbc2c-0e38-4e09-a5d3-9f9de2a4d0fb",
			"mysql_ports":       `[{"name":"mysql","containerPort":"3306","protocol":"TCP"}]`,
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	// Pods need the service account, which a controller makes.
	return poll(ctx, time.Minute, func() error {
		_, err := p.kube.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// makeSet of three MySQL units with one claim each.
func (p *plane) makeSet(ctx context.Context, namespace, name string) error {
	_, err := p.upm.UpmV1alpha2().UnitSets(namespace).Create(ctx, &v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha2.UnitSetSpec{
			Type: v1alpha2.UnitTypeMySQL, Version: "8.0.41", Edition: v1alpha2.EditionCommunity, Units: new(int32(unitsPerSet)),
			SharedConfigName: "shared",
			Resources: corev1.ResourceRequirements{
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi")},
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("2Gi")},
			},
			Storages: []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "10Gi", StorageClassName: "fleet"}},
			Secret:   &v1alpha2.SecretInfo{Name: "users", MountPath: "/SECRET_MOUNT"},
			Env:      []corev1.EnvVar{{Name: "ADM_USER", Value: "root"}},
		},
	}, metav1.CreateOptions{})
	return err
}

// statefulSetLike makes StatefulSets of the same pods and claims as those of a unit: its
// pod without what names the unit.
func (p *plane) statefulSetLike(ctx context.Context, model, unit, namespace string) (func(context.Context, string) error, error) {
	pod, err := p.kube.CoreV1().Pods(model).Get(ctx, unit, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	claim, err := p.kube.CoreV1().PersistentVolumeClaims(model).Get(ctx, unit+"-data", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	spec := pod.Spec
	spec.NodeName, spec.Hostname, spec.Subdomain, spec.Tolerations = "", "", "", nil
	var volumes []corev1.Volume
	for _, v := range spec.Volumes {
		if v.PersistentVolumeClaim == nil && v.Projected == nil {
			volumes = append(volumes, v)
		}
	}
	spec.Volumes = volumes
	withoutToken := func(containers []corev1.Container) {
		for i := range containers {
			var mounts []corev1.VolumeMount
			for _, m := range containers[i].VolumeMounts {
				if m.MountPath != "/var/run/secrets/kubernetes.io/serviceaccount" {
					mounts = append(mounts, m)
				}
			}
			containers[i].VolumeMounts = mounts
		}
	}
	withoutToken(spec.InitContainers)
	withoutToken(spec.Containers)
	annotations := pod.Annotations
	return func(ctx context.Context, name string) error {
		labels := map[string]string{"app": name}
		_, err := p.kube.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.ServiceSpec{
				ClusterIP: corev1.ClusterIPNone, Selector: labels, PublishNotReadyAddresses: true,
				Ports: []corev1.ServicePort{{Name: "mysql", Port: 3306}},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = p.kube.AppsV1().StatefulSets(namespace).Create(ctx, &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.StatefulSetSpec{
				Replicas: new(int32(unitsPerSet)), ServiceName: name, PodManagementPolicy: appsv1.ParallelPodManagement,
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: spec},
				VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
					ObjectMeta: metav1.ObjectMeta{Name: "data"},
					Spec: corev1.PersistentVolumeClaimSpec{
						AccessModes: claim.Spec.AccessModes, Resources: claim.Spec.Resources, StorageClassName: claim.Spec.StorageClassName,
					},
				}},
			},
		}, metav1.CreateOptions{})
		return err
	}, nil
}

// each calls f for 0 to n-1, several at a time.
func each(ctx context.Context, n int, f func(context.Context, int) error) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next int
		bad  error
	)
	for range creators {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := bad != nil || i >= n || ctx.Err() != nil
				mu.Unlock()
				if stop {
					return
				}
				if err := f(ctx, i); err != nil {
					mu.Lock()
					bad = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return bad
}

// poll until f succeeds.
func poll(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", limit, err)
		}
	}
}
