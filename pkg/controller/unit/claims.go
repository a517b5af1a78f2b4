// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// syncClaims makes the claims there should be and follows their size, labels and
// owner. They are made before the pod.
func (c *Controller) syncClaims(ctx context.Context, s *state) error {
	if s.blueprint == nil {
		return nil
	}
	var failures child.Failures
	for i, t := range s.unit.Claims {
		claim := s.claims[t.Name]
		if claim == nil {
			if s.found.Has(v1alpha2.ConditionNameConflict) {
				s.retryAfter(child.ConflictRecheck)
				continue
			}
			if !failures.Tolerate(c.makeClaim(ctx, s, i)) {
				break
			}
			continue
		}
		if claim.DeletionTimestamp != nil {
			s.found.Because(v1alpha2.ConditionClaimTerminating,
				"PersistentVolumeClaim %s is being deleted and goes when no pod uses it; a new one is made then", claim.Name)
			continue
		}
		if !failures.Tolerate(c.followClaim(ctx, s, t, claim)) {
			break
		}
	}
	return failures.Err()
}

func (c *Controller) makeClaim(ctx context.Context, s *state, i int) error {
	live, err := c.readUnit(ctx, s)
	if err != nil {
		return err
	}
	// The cache is of the same generation as live, so i means the same template.
	claim := podspec.Claims(live)[i]
	metav1.SetMetaDataAnnotation(&claim.ObjectMeta, annotationCopied, copied(claim.Labels))
	written, _, err := c.control.claims.Create(ctx, s.unit, &claim)
	if err != nil {
		return s.refusal(err)
	}
	// One that was there already may be of another size, or owner.
	s.claims[s.unit.Claims[i].Name] = slim.FromClaim(written)
	return c.followClaim(ctx, s, s.unit.Claims[i], s.claims[s.unit.Claims[i].Name])
}

// followClaim grows a claim online, and keeps its labels and its owner.
func (c *Controller) followClaim(ctx context.Context, s *state, t slim.ClaimTemplate, claim *slim.Claim) error {
	metadata := map[string]any{}
	maps.Copy(metadata, followed(claim.Labels, claim.Annotations, s.blueprint.claimLabels[t.Name], nil))
	if refs, changed := claimOwners(s.unit, claim); changed {
		metadata["ownerReferences"] = refs
	}
	if len(metadata) > 0 {
		if _, _, err := c.control.claims.Patch(ctx, s.unit, claim, metadata, nil); err != nil {
			return s.refusal(err)
		}
	}
	wanted, err := resource.ParseQuantity(t.Size)
	if err != nil {
		return fmt.Errorf("size %q of claim %s: %w", t.Size, claim.Name, err)
	}
	requested, capacity := claim.Requested, claim.Capacity
	// An unbound claim cannot be resized.
	if claim.Phase != corev1.ClaimBound {
		return nil
	}
	if wanted.Cmp(requested) > 0 {
		grow := map[string]any{"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": wanted.String()}}}}
		_, _, err := c.control.claims.Patch(ctx, s.unit, claim, nil, grow)
		if child.IsRefusal(err) {
			s.retryAfter(child.RefusalRecheck)
			s.found.Add(v1alpha2.ConditionExpansionPending, v1alpha2.ConditionRefused, "PersistentVolumeClaim %s cannot grow to %s: %v", claim.Name, t.Size, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	if wanted.Cmp(capacity) > 0 {
		s.found.Because(v1alpha2.ConditionExpansionPending, "PersistentVolumeClaim %s has %s and is asked for %s", claim.Name, capacity.String(), t.Size)
	}
	return nil
}

// claimOwners are the owner references that a claim must have: ours only if it is
// to go with the Unit.
func claimOwners(unit *slim.Unit, claim *slim.Claim) (refs []metav1.OwnerReference, changed bool) {
	ours := ownerref.ControlledBy(claim, unit)
	if wanted := unit.WhenDeleted == v1alpha2.DeleteClaims; wanted == ours {
		return nil, false
	}
	refs = []metav1.OwnerReference{}
	for _, ref := range claim.OwnerReferences {
		if ref.UID != unit.UID {
			refs = append(refs, ref)
		}
	}
	if !ours {
		refs = append(refs, *ownerref.New(unit, controllerKind))
	}
	return refs, true
}

// refusal turns an error of a write into a finding where only somebody else can
// end it.
func (s *state) refusal(err error) error {
	if again := child.Explain(s.found, err); again > 0 {
		s.retryAfter(again)
		return nil
	}
	return err
}
