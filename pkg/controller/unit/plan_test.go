// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func slimPod(edits ...func(*slim.Pod)) *slim.Pod {
	pod := &slim.Pod{
		ObjectMeta: metav1.ObjectMeta{
			UID: "pod", CreationTimestamp: metav1.NewTime(testNow.Add(-time.Hour)),
			Annotations: map[string]string{v1alpha2.AnnotationTemplateHash: "h"},
		},
		NodeName: "n1", Phase: corev1.PodRunning,
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func deleting(p *slim.Pod) { p.DeletionTimestamp = new(metav1.NewTime(testNow)) }

func inPhase(phase corev1.PodPhase) func(*slim.Pod) {
	return func(p *slim.Pod) { p.Phase = phase }
}

func made(ago time.Duration) func(*slim.Pod) {
	return func(p *slim.Pod) { p.CreationTimestamp = metav1.NewTime(testNow.Add(-ago)) }
}

func withReady(status corev1.ConditionStatus) func(*slim.Pod) {
	return func(p *slim.Pod) { p.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}} }
}

func waiting(container, reason string) func(*slim.Pod) {
	return func(p *slim.Pod) {
		p.Containers = []slim.Container{{Name: container, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
	}
}

func TestPlanPod(t *testing.T) {
	for name, tc := range map[string]struct {
		pod       *slim.Pod
		hash      string
		policy    v1alpha2.UpdatePolicy
		prevented string
		operation string
		announced bool
		want      podAction
		pending   bool
		again     bool
	}{
		"none and nothing in the way is made":                       {hash: "h", want: podCreate},
		"none waits for what is missing":                            {hash: "h", prevented: "x", want: podWait},
		"one of the same template is kept":                          {pod: slimPod(), hash: "h", want: podKeep},
		"one of the same template is kept whatever is missing now":  {pod: slimPod(), hash: "h", prevented: "x", want: podKeep},
		"one on its way out is waited for":                          {pod: slimPod(deleting), hash: "new", want: podWait},
		"a failed one on its way out is waited for":                 {pod: slimPod(deleting, inPhase(corev1.PodFailed)), hash: "h", want: podWait},
		"one of another template is replaced":                       {pod: slimPod(), hash: "new", announced: true, want: podRestart, pending: true},
		"one of another template is announced first":                {pod: slimPod(), hash: "new", want: podAnnounce, pending: true},
		"one in which an operation runs is kept":                    {pod: slimPod(), hash: "new", operation: "x", announced: true, want: podKeep, pending: true},
		"an operation holds nothing of the same template":           {pod: slimPod(), hash: "h", operation: "x", want: podKeep},
		"an operation does not hold a failed one":                   {pod: slimPod(inPhase(corev1.PodFailed)), hash: "h", operation: "x", want: podDelete},
		"one on its way out stays announced":                        {pod: slimPod(deleting), hash: "new", announced: true, want: podWait, pending: true},
		"one of another template that cannot be replaced is kept":   {pod: slimPod(), hash: "new", prevented: "x", want: podKeep, pending: true},
		"OnDelete keeps one of another template":                    {pod: slimPod(), hash: "new", policy: v1alpha2.UpdatePolicyOnDelete, want: podKeep, pending: true},
		"a failed one is replaced":                                  {pod: slimPod(inPhase(corev1.PodFailed)), hash: "h", want: podDelete},
		"a failed one is replaced with OnDelete too":                {pod: slimPod(inPhase(corev1.PodFailed)), hash: "new", policy: v1alpha2.UpdatePolicyOnDelete, want: podDelete},
		"a failed one stays as evidence while it has no successor":  {pod: slimPod(inPhase(corev1.PodFailed)), hash: "h", prevented: "x", want: podWait},
		"one that ended with success is replaced":                   {pod: slimPod(inPhase(corev1.PodSucceeded)), hash: "h", want: podDelete},
		"one that failed as soon as it was made is left a moment":   {pod: slimPod(inPhase(corev1.PodFailed), made(time.Second)), hash: "h", want: podWait, again: true},
		"a pending one of another template is replaced like others": {pod: slimPod(inPhase(corev1.PodPending)), hash: "new", announced: true, want: podRestart, pending: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := planPod(podInput{pod: tc.pod, templateHash: tc.hash, updatePolicy: tc.policy, prevented: tc.prevented, operation: tc.operation, announced: tc.announced, now: testNow})
			if got.action != tc.want || (got.pending != "") != tc.pending || (got.after > 0) != tc.again {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestPhase(t *testing.T) {
	ready := withReady(corev1.ConditionTrue)
	for name, tc := range map[string]struct {
		in   phaseInput
		want v1alpha2.UnitPhase
	}{
		"without a pod":                                     {phaseInput{startup: true}, v1alpha2.UnitPending},
		"a pending pod":                                     {phaseInput{pod: slimPod(inPhase(corev1.PodPending)), startup: true}, v1alpha2.UnitPending},
		"a running pod that is not ready":                   {phaseInput{pod: slimPod(), startup: true}, v1alpha2.UnitRunning},
		"a ready pod":                                       {phaseInput{pod: slimPod(ready), startup: true}, v1alpha2.UnitReady},
		"a ready pod whose server shall not run":            {phaseInput{pod: slimPod(ready)}, v1alpha2.UnitRunning},
		"a stopped server":                                  {phaseInput{pod: slimPod(), agent: agentclient.StateHeld}, v1alpha2.UnitRunning},
		"a ready pod on its way out":                        {phaseInput{pod: slimPod(ready, deleting), startup: true}, v1alpha2.UnitRunning},
		"a pod that failed":                                 {phaseInput{pod: slimPod(inPhase(corev1.PodFailed)), startup: true}, v1alpha2.UnitFailed},
		"a pod that succeeded":                              {phaseInput{pod: slimPod(inPhase(corev1.PodSucceeded)), startup: true}, v1alpha2.UnitSucceeded},
		"a ready pod on a silent node":                      {phaseInput{pod: slimPod(ready), silent: true, startup: true}, v1alpha2.UnitUnknown},
		"a pod of phase Unknown":                            {phaseInput{pod: slimPod(inPhase(corev1.PodUnknown)), startup: true}, v1alpha2.UnitUnknown},
		"a server that could not start":                     {phaseInput{pod: slimPod(), startup: true, agent: agentclient.StateFailed}, v1alpha2.UnitFailed},
		"a volume without the database":                     {phaseInput{pod: slimPod(), startup: true, agent: agentclient.StateDataMissing}, v1alpha2.UnitFailed},
		"a server that answers, whatever its agent said":    {phaseInput{pod: slimPod(ready), startup: true, agent: agentclient.StateFailed}, v1alpha2.UnitReady},
		"a database container that crashes again and again": {phaseInput{pod: slimPod(waiting("mysql", "CrashLoopBackOff")), startup: true, database: "mysql"}, v1alpha2.UnitFailed},
		"another container that crashes":                    {phaseInput{pod: slimPod(waiting("exporter", "CrashLoopBackOff")), startup: true, database: "mysql"}, v1alpha2.UnitRunning},
		"a database container that is being made":           {phaseInput{pod: slimPod(waiting("mysql", "PodInitializing")), startup: true, database: "mysql"}, v1alpha2.UnitRunning},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phaseOf(tc.in); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestPlanIdentity(t *testing.T) {
	recorded := &v1alpha2.DataIdentity{SystemID: "A"}
	for name, tc := range map[string]struct {
		in   identityInput
		want identityPlan
	}{
		"a unit that never had data has nothing to give up": {identityInput{reinit: "A", emptyDir: true, pod: "2"}, identityPlan{}},
		"what was given up is not given up again": {
			identityInput{recorded: &v1alpha2.DataIdentity{DataGeneration: 1}, emptyDir: true, seenPod: "1", pod: "2"}, identityPlan{},
		},
		"a new pod keeps the record of a claim": {identityInput{recorded: recorded, seenPod: "1", pod: "2"}, identityPlan{}},
		"a new pod on an emptyDir":              {identityInput{recorded: recorded, emptyDir: true, seenPod: "1", pod: "2"}, identityPlan{giveUp: "it lay on an emptyDir and went with its pod"}},
		"an emptyDir goes with its pod":         {identityInput{recorded: recorded, emptyDir: true, seenPod: "1"}, identityPlan{giveUp: "it lay on an emptyDir and went with its pod"}},
		"the same pod on an emptyDir":           {identityInput{recorded: recorded, emptyDir: true, seenPod: "1", pod: "1"}, identityPlan{}},
		"a member on an emptyDir is provisioned by its Replication": {
			identityInput{recorded: recorded, emptyDir: true, managed: true, seenPod: "1", pod: "2"}, identityPlan{},
		},
		"a request that names the data":        {identityInput{recorded: recorded, reinit: "A"}, identityPlan{accept: "A"}},
		"a request that names other data":      {identityInput{recorded: recorded, reinit: "B"}, identityPlan{dropAnnotation: true}},
		"a request of a member counts as well": {identityInput{recorded: recorded, reinit: "A", managed: true}, identityPlan{accept: "A"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := planIdentity(tc.in); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestLearnData(t *testing.T) {
	claims := map[string]types.UID{"data": "c2"}
	for name, tc := range map[string]struct {
		recorded *v1alpha2.DataIdentity
		reported *agentclient.DataIdentity
		accepted string
		want     *v1alpha2.DataIdentity
	}{
		"nothing is reported": {recorded: &v1alpha2.DataIdentity{SystemID: "A"}, want: &v1alpha2.DataIdentity{SystemID: "A"}},
		"the first database": {
			reported: &agentclient.DataIdentity{SystemID: "A", Virgin: true}, //nolint:staticcheck // Agents of before the field pristine know no other.
			want:     &v1alpha2.DataIdentity{SystemID: "A", Virgin: true, ClaimUIDs: claims},
		},
		"the same database on another claim": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 3, ClaimUIDs: map[string]types.UID{"data": "c1"}},
			reported: &agentclient.DataIdentity{SystemID: "A", DataGeneration: 2},
			want:     &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 3, ClaimUIDs: claims},
		},
		"another database is not believed": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 1},
			reported: &agentclient.DataIdentity{SystemID: "B", DataGeneration: 1},
			want:     &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 1},
		},
		"another one of a newer generation is": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 1},
			reported: &agentclient.DataIdentity{SystemID: "B", DataGeneration: 2},
			want:     &v1alpha2.DataIdentity{SystemID: "B", DataGeneration: 2, ClaimUIDs: claims},
		},
		"another one in the place of a virgin one is": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", Virgin: true, Pristine: new(true)},
			reported: &agentclient.DataIdentity{SystemID: "B"},
			want:     &v1alpha2.DataIdentity{SystemID: "B", ClaimUIDs: claims},
		},
		"not by virgin alone, which nobody has asked the server for": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", Virgin: true},
			reported: &agentclient.DataIdentity{SystemID: "B"},
			want:     &v1alpha2.DataIdentity{SystemID: "A", Virgin: true},
		},
		"another one in the place of one whose loss was accepted is, as a new generation": {
			recorded: &v1alpha2.DataIdentity{SystemID: "A", DataGeneration: 1}, accepted: "A",
			reported: &agentclient.DataIdentity{SystemID: "B"},
			want:     &v1alpha2.DataIdentity{SystemID: "B", DataGeneration: 2, ClaimUIDs: claims},
		},
		"the generation of what was given up before stays": {
			recorded: &v1alpha2.DataIdentity{DataGeneration: 4},
			reported: &agentclient.DataIdentity{SystemID: "B"},
			want:     &v1alpha2.DataIdentity{SystemID: "B", DataGeneration: 4, ClaimUIDs: claims},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, learnData(tc.recorded, tc.reported, tc.accepted, claims)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestPlanBinding(t *testing.T) {
	bound := func(node, annotation string, unbind bool) *slim.Unit {
		u := &slim.Unit{NodeName: node, UnbindNode: unbind}
		if annotation != "" {
			u.Annotations = map[string]string{v1alpha2.AnnotationBoundNode: annotation}
		}
		return u
	}
	pending := slimPod(func(p *slim.Pod) { p.NodeName = "" })
	for name, tc := range map[string]struct {
		unit *slim.Unit
		pod  *slim.Pod
		node nodeState
		want bindingPlan
	}{
		"binds to the node of its pod":                 {bound("", "", false), slimPod(), nodeState{}, bindingPlan{bind: "n1"}},
		"does not bind to a node that is gone":         {bound("", "", false), slimPod(), nodeState{Gone: true}, bindingPlan{}},
		"keeps the node that the user named":           {bound("n2", "", false), slimPod(), nodeState{}, bindingPlan{}},
		"keeps one that the user named over the bound": {bound("n2", "n1", false), slimPod(), nodeState{}, bindingPlan{}},
		"waits for the scheduler":                      {bound("", "", false), pending, nodeState{}, bindingPlan{}},
		"does not bind to the node of a pod that goes": {bound("", "", false), slimPod(deleting), nodeState{}, bindingPlan{}},
		"stays bound":                                         {bound("n1", "n1", false), nil, nodeState{Bound: true}, bindingPlan{}},
		"is released from a node that is gone":                {bound("n1", "n1", false), slimPod(), nodeState{}, bindingPlan{release: "the node does not exist any more"}},
		"never binds with unbindNode":                         {bound("", "", true), slimPod(), nodeState{}, bindingPlan{}},
		"is released by unbindNode":                           {bound("n1", "n1", true), slimPod(), nodeState{Bound: true}, bindingPlan{release: "unbindNode is true"}},
		"keeps the node that the user named, with unbindNode": {bound("n2", "", true), slimPod(), nodeState{Bound: true}, bindingPlan{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := planBinding(tc.unit, tc.pod, tc.node); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestPlanAsk(t *testing.T) {
	running := &agentclient.Status{State: agentclient.StateRunning}
	missing := &agentclient.Status{State: agentclient.StateDataMissing}
	for name, tc := range map[string]struct {
		in    askInput
		ask   bool
		again time.Duration
	}{
		"a stopped server is not asked after":                       {askInput{}, false, 0},
		"a server that starts is":                                   {askInput{startup: true}, true, startPoll},
		"but not twice in a moment":                                 {askInput{startup: true, last: missing, age: time.Second}, false, startPoll},
		"nor after it was in this sync":                             {askInput{startup: true, last: missing, fresh: true}, false, startPoll},
		"one that is stuck is asked less often":                     {askInput{startup: true, upFor: time.Hour, last: missing, age: time.Minute}, true, stuckPoll},
		"one that is ready for the first time is asked":             {askInput{startup: true, ready: true, upFor: time.Hour}, true, startPoll},
		"one whose data is being replaced is not, while it serves":  {askInput{startup: true, ready: true, replacing: true, upFor: time.Hour}, false, 0},
		"a ready one is not":                                        {askInput{startup: true, ready: true, recorded: true, upFor: time.Hour}, false, 0},
		"a ready one that needs a restart is, when its pod changes": {askInput{startup: true, ready: true, recorded: true, restartRequired: true, last: running, age: time.Hour}, true, 0},
		"and only then":                                             {askInput{startup: true, ready: true, recorded: true, restartRequired: true, last: running, fresh: true}, false, 0},
		"one whose data was given up is until it runs":              {askInput{startup: true, ready: true, recorded: true, accepted: true, last: missing, age: time.Minute}, true, startPoll},
		"and then only when its pod changes":                        {askInput{startup: true, ready: true, recorded: true, accepted: true, last: running, fresh: true}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if ask, again := planAsk(tc.in); ask != tc.ask || again != tc.again {
				t.Errorf("%t, again in %v; want %t, %v", ask, again, tc.ask, tc.again)
			}
		})
	}
}

func TestALeafIsGoodForOneUnitOneContentOneBundleAndATime(t *testing.T) {
	unit := &slim.Unit{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
	good := leaf{"u", "content", slim.ContentHash([]byte("bundle")), testNow.Add(time.Hour)}
	secret := func(l leaf, content string) *slim.Object {
		return &slim.Object{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotationLeaf: l.String()}}, ContentHash: content, BundleHash: good.bundle}
	}
	for name, tc := range map[string]struct {
		secret *slim.Object
		bundle string
		now    time.Time
		want   bool
	}{
		"good":               {secret(good, "content"), "bundle", testNow, true},
		"edited":             {secret(good, "other"), "bundle", testNow, false},
		"of an older CA":     {secret(good, "content"), "newer", testNow, false},
		"due":                {secret(good, "content"), "bundle", testNow.Add(time.Hour), false},
		"without a record":   {&slim.Object{ContentHash: "content"}, "bundle", testNow, false},
		"of an earlier Unit": {secret(leaf{"before", good.content, good.bundle, good.renewAt}, "content"), "bundle", testNow, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := leafIsGood(unit, tc.secret, []byte(tc.bundle), tc.now); got != tc.want {
				t.Errorf("good: %t", got)
			}
		})
	}
}

func TestAMessageDoesNotChangeWhileTheBackOffGrows(t *testing.T) {
	crash := func(message string) *slim.Container {
		return &slim.Container{
			Name:                 "mysql",
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: message}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}},
		}
	}
	a, b := failure(crash("back-off 10s")), failure(crash("back-off 20s"))
	if a != b || a != "container mysql crashes again and again; last: OOMKilled, exit code 137" {
		t.Errorf("%q, then %q", a, b)
	}
}
