// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// wantedInput is what decides which topology is accepted.
type wantedInput struct {
	replication owner
	// units that the spec may mean, by name.
	units map[string]*slim.Unit
	// set is the UnitSet that spec.unitSet names; nil if there is none.
	set *v1alpha2.UnitSet
	// retiring is the set that knows which listed units it does not want any more;
	// nil if they are of none.
	retiring *v1alpha2.UnitSet
}

// wanted is the topology that a spec asks for.
type wanted struct {
	accepted *v1alpha1.ReplicationAccepted
	// invalid says what the spec cannot be, empty if it can.
	invalid string
	// missing are members whose Unit does not exist and should.
	missing []string
}

// planWanted reads a spec. One that is invalid changes nothing of what was accepted,
// so that roles are given and failovers made whatever the spec says.
func planWanted(in wantedInput) wanted {
	r := in.replication
	members := specMembers(in)
	if invalid := checkMembers(in, members); invalid != "" {
		return wanted{accepted: r.Status.Accepted, invalid: invalid}
	}
	out := wanted{accepted: &v1alpha1.ReplicationAccepted{
		Mode: r.Spec.Mode, Secret: new(r.Spec.Secret),
	}}
	for _, m := range members {
		unit := in.units[m.Name]
		if unit == nil {
			if !retired(in, m.Name) {
				out.missing = append(out.missing, m.Name)
			}
			// What was accepted of it stays until the name has a Unit again.
			if before := acceptedMember(r.Status.Accepted, m.Name); before != nil {
				m.UnitUID = before.UnitUID
			}
		} else {
			m.UnitUID = unit.UID
		}
		out.accepted.Members = append(out.accepted.Members, m)
	}
	return out
}

// specMembers are the members that the spec names, the source first, and those of its
// set in the order of their ordinals.
func specMembers(in wantedInput) []v1alpha1.AcceptedMember {
	spec := &in.replication.Spec
	members := []v1alpha1.AcceptedMember{{Name: spec.Source.Name, Host: spec.Source.Host, Port: spec.Source.Port}}
	for i := range spec.Replicas {
		m := &spec.Replicas[i]
		members = append(members, v1alpha1.AcceptedMember{Name: m.Name, Host: m.Host, Port: m.Port, Isolated: m.Isolated})
	}
	if spec.UnitSet == "" {
		return members
	}
	named := func(name string) bool {
		return slices.ContainsFunc(members, func(m v1alpha1.AcceptedMember) bool { return m.Name == name })
	}
	for _, name := range setMembers(in) {
		if !named(name) {
			members = append(members, v1alpha1.AcceptedMember{
				Name: name, Host: name + "." + spec.UnitSet + "-headless-svc." + in.replication.Namespace, Port: spec.Source.Port,
			})
		}
	}
	return members
}

// setMembers are the names of the set's units: those that it wants, and those that are
// there and were counted in, which are taken out when the set asks for it.
func setMembers(in wantedInput) []string {
	var names []string
	if in.set != nil {
		for i := range ptr.Deref(in.set.Spec.Units, 0) {
			names = append(names, fmt.Sprintf("%s-%d", in.set.Name, i))
		}
	}
	var leaving []string
	for name, unit := range in.units {
		if slim.SetOf(unit) == in.replication.Spec.UnitSet && !slices.Contains(names, name) &&
			unit.DeletionTimestamp == nil && unit.Annotations[v1alpha2.AnnotationEvacuate] != v1alpha2.EvacuateRemove {
			leaving = append(leaving, name)
		}
	}
	slices.Sort(leaving)
	return append(names, leaving...)
}

// retired says whether a unit is missing because its set does not want it any more.
func retired(in wantedInput, name string) bool {
	if in.retiring == nil {
		return false
	}
	ordinal, ok := strings.CutPrefix(name, in.retiring.Name+"-")
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(ordinal, 10, 32)
	return err == nil && int32(n) >= ptr.Deref(in.retiring.Spec.Units, 0)
}

// checkMembers says what is wrong with them; empty if nothing is.
func checkMembers(in wantedInput, members []v1alpha1.AcceptedMember) string {
	r := in.replication
	kind := r.Kind
	switch {
	case r.Spec.UnitSet != "" && in.set == nil:
		return fmt.Sprintf("spec.unitSet: UnitSet %s does not exist", r.Spec.UnitSet)
	case in.set != nil && in.set.Spec.Type != kind.unitType:
		return fmt.Sprintf("spec.unitSet: UnitSet %s is of type %s, a %s replicates %s", in.set.Name, in.set.Spec.Type, kind.Kind, kind.unitType)
	}
	address := map[string]string{}
	for _, m := range members {
		if unit := in.units[m.Name]; unit != nil {
			switch {
			case unit.Type != kind.unitType:
				return fmt.Sprintf("Unit %s is of type %s, a %s replicates %s", m.Name, unit.Type, kind.Kind, kind.unitType)
			case unit.OwnCommand:
				return fmt.Sprintf("container %s of Unit %s brings its own command and is left alone: it cannot be a member", unit.Type, m.Name)
			case unit.SQLPort != 0 && unit.SQLPort != m.Port && servesItself(unit, m.Host):
				return fmt.Sprintf("%s is to be reached at %s:%d, and its server listens on port %d: put that into the spec", m.Name, m.Host, m.Port, unit.SQLPort)
			}
		}
		at := fmt.Sprintf("%s:%d", m.Host, m.Port)
		if other, taken := address[at]; taken {
			return fmt.Sprintf("%s and %s have the same address %s: each member has one of its own", other, m.Name, at)
		}
		address[at] = m.Name
	}
	if w := r.Spec.Durability; w != nil && w.Replicas != nil && r.Spec.Mode == kind.sync {
		able := 0
		for _, m := range members[1:] {
			if !m.Isolated {
				able++
			}
		}
		if int(*w.Replicas) > able {
			return fmt.Sprintf("spec.durability.replicas is %d and %d %s may acknowledge: no commit would ever be", *w.Replicas, able, kind.replicas)
		}
	}
	return ""
}

// servesItself says whether a host is the unit's own name in the headless Service of its
// set: its port is the server's. Any other may lead there by another port.
func servesItself(unit *slim.Unit, host string) bool {
	set := slim.SetOf(unit)
	return set != "" && strings.HasPrefix(host+".", unit.Name+"."+set+"-headless-svc.")
}

func acceptedMember(accepted *v1alpha1.ReplicationAccepted, name string) *v1alpha1.AcceptedMember {
	if accepted == nil {
		return nil
	}
	i := slices.IndexFunc(accepted.Members, func(m v1alpha1.AcceptedMember) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &accepted.Members[i]
}
