// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agenttls"
)

// newCAInformer watches the Secret of the agents' CA, and no other.
func newCAInformer(kube kubernetes.Interface, namespace string) cache.SharedIndexInformer {
	return coreinformers.NewSharedInformerFactoryWithOptions(kube, 0,
		coreinformers.WithNamespace(namespace), coreinformers.WithTransform(withoutManagedFields),
		coreinformers.WithTweakListOptions(func(l *metav1.ListOptions) {
			l.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, agenttls.CASecret).String()
		}),
	).Core().V1().Secrets().Informer()
}

// keepCA writes the agents' CA back when its Secret is deleted, until ctx ends.
func keepCA(ctx context.Context, gone <-chan struct{}, ca *agenttls.CA, secrets agenttls.Secrets, recorder events.EventRecorder, namespace string) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-gone:
		case <-again:
		}
		if err := advise(ca.WriteBack(ctx, secrets), namespace); err != nil {
			klog.FromContext(ctx).Error(err, "The agents' CA is not kept: until it is, an operator that starts makes another one")
			again = time.After(waitInterval)
			continue
		}
		recorder.Eventf(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: agenttls.CASecret, Namespace: namespace}}, nil,
			corev1.EventTypeWarning, "CAWrittenBack", "WriteBack", "Secret %s was deleted and is written back: the agents trust that CA", agenttls.CASecret)
	}
}
