// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestClaimsBelongToTheUnitOnlyIfTheyShallGoWithIt(t *testing.T) {
	unit := standalone(claimTemplate("data", "1Gi"), func(u *v1alpha2.Unit) {
		u.Labels = map[string]string{"team": "unit", "tier": "db"}
		template := &u.Spec.VolumeClaimTemplates[0]
		template.Labels = map[string]string{"team": "claim", v1alpha2.LabelUnit: "another"}
		template.Annotations = map[string]string{"backup": "daily"}
	})
	for policy, owners := range map[v1alpha2.ClaimRetention]int{"": 0, v1alpha2.RetainClaims: 0, v1alpha2.DeleteClaims: 1} {
		unit.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: policy, WhenScaled: v1alpha2.DeleteClaims}
		claim := Claims(unit)[0]
		if len(claim.OwnerReferences) != owners {
			t.Errorf("whenDeleted %q: owners %+v", policy, claim.OwnerReferences)
		}
		want := map[string]string{
			"team": "claim", "tier": "db",
			v1alpha2.LabelManaged: "true", v1alpha2.LabelUnit: "single", v1alpha2.LabelType: "mysql",
		}
		if d := cmp.Diff(want, claim.Labels); d != "" {
			t.Errorf("labels (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[string]string{"backup": "daily"}, claim.Annotations); d != "" {
			t.Errorf("annotations (-want +got):\n%s", d)
		}
	}
}

func TestAPodsTemplateHashIsThatOfTheUnitWhateverTheNodeAndTheAgent(t *testing.T) {
	in := inputFor(t, readUnit(t, "standalone-mysql"))
	want := slim.FromUnit(in.Unit).TemplateHash
	in.NodeName, in.AgentImage = "n9", "example.org/unit-agent:9"
	if got := build(t, in).Annotations[v1alpha2.AnnotationTemplateHash]; got != want {
		t.Errorf("the pod says %s, the informer's Unit %s", got, want)
	}
}

func TestWhatAPodWasMadeFromDoesNotFollowTheUnitInPlace(t *testing.T) {
	unit := readUnit(t, "set-mysql")
	unit.Spec.Template.Annotations = map[string]string{v1alpha2.AnnotationTemplateHash: "forged", "team": "shop"}
	want := map[string]string{
		"kubectl.kubernetes.io/default-container": "mysql", "team": "shop",
		"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "unit-agent-bin,unit-agent-state,unit-config,unit-shm,unit-sockets,unit-tmp",
	}
	if d := cmp.Diff(want, Annotations(unit)); d != "" {
		t.Errorf("in place (-want +got):\n%s", d)
	}
	want[v1alpha2.AnnotationTemplateHash] = slim.TemplateHash(&unit.Spec.Template)
	want[v1alpha2.AnnotationRevision] = unit.Annotations[v1alpha2.AnnotationRevision]
	if d := cmp.Diff(want, build(t, inputFor(t, unit)).Annotations); d != "" {
		t.Errorf("the pod's (-want +got):\n%s", d)
	}
}
