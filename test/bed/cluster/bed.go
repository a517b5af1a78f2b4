// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"

	"github.com/upmio/unit-operator/test/bed/proc"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// DefaultDir is the state directory of a bed that is given none.
const DefaultDir = "/var/lib/unit-operator-bed"

// Names and addresses on the machine. Everything that a bed makes there begins with prefix.
const (
	prefix    = "uobed"
	bridge    = prefix + "0"
	hostIP    = "10.89.0.1" // of the bridge: API server and DNS
	apiPort   = 6443
	maxNodes  = 9
	podPrefix = "10.244." // the pods of node N have podPrefix + "N.0/24"
)

// Settings are what a bed was brought up with.
type Settings struct {
	// Nodes is their number, 1 to 9.
	Nodes int `json:"nodes"`
	// ExtraSANs are further names and addresses under which clients reach the API server.
	ExtraSANs []string `json:"extraSANs,omitempty"`
	// APIServerArgs are added to the API server's command line.
	APIServerArgs []string `json:"apiServerArgs,omitempty"`
	// Binaries of the components, by component; kept so that they stay while the bed runs.
	Binaries map[string]string `json:"binaries"`
}

// Bed is a cluster with nodes on this machine, of which there can be one at a time.
type Bed struct {
	// Dir is the state directory.
	Dir      string
	settings Settings
	report   *progress.Reporter
	plane    controlPlane
}

// New returns the bed whose state is in dir (DefaultDir if empty) without reading it, which is enough to
// take it down. Progress is shown through report, which may be nil.
func New(dir string, report *progress.Reporter) (*Bed, error) {
	if dir == "" {
		dir = DefaultDir
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Bed{Dir: dir, report: report}, nil
}

// Open returns the bed whose state is in dir with its settings, if it was brought up.
func Open(dir string, report *progress.Reporter) (*Bed, error) {
	b, err := New(dir, report)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(b.path("bed.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &b.settings); err != nil {
		return nil, fmt.Errorf(`%s: %w ("bed down" removes a broken bed)`, b.path("bed.json"), err)
	}
	return b, b.configure()
}

// ErrNotUp is returned by what needs a bed that was brought up.
var ErrNotUp = errors.New(`there is no bed here; "bed up" makes one`)

// exists tells whether the bed was brought up, at least in part, and not down again.
func (b *Bed) exists() bool { return b.settings.Nodes > 0 }

func (b *Bed) path(parts ...string) string {
	return filepath.Join(append([]string{b.Dir}, parts...)...)
}

func (b *Bed) save() error {
	data, err := json.MarshalIndent(b.settings, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.path("bed.json"), data, 0o644)
}

// configure derives the control plane from the settings and makes its certificates.
func (b *Bed) configure() error {
	b.plane = controlPlane{
		bin: b.settings.Binaries["kube"], dir: b.Dir,
		bindAddress: "0.0.0.0", advertiseAddress: hostIP,
		apiPort: apiPort, etcdPort: 12379, etcdPeerPort: 12380,
		apiServerArgs: b.settings.APIServerArgs,
	}
	return b.plane.issue(b.settings.ExtraSANs)
}

// Kubeconfig is the path of a kubeconfig file of an administrator, Kubectl that of a matching kubectl.
func (b *Bed) Kubeconfig() string { return b.plane.adminKubeconfig() }
func (b *Bed) Kubectl() string    { return b.path("kubectl") }

// linkKubectl gives kubectl a path that can be known and typed.
func (b *Bed) linkKubectl() error {
	if err := os.Remove(b.Kubectl()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(b.plane.binary("kubectl"), b.Kubectl())
}

// Config reaches the API server as an administrator, without client-side rate limits.
func (b *Bed) Config() (*rest.Config, error) {
	if !b.exists() {
		return nil, ErrNotUp
	}
	return restConfig(b.Kubeconfig())
}

// Nodes returns the bed's nodes.
func (b *Bed) Nodes() []Node {
	var nodes []Node
	for i := range b.settings.Nodes {
		nodes = append(nodes, Node{bed: b, index: i + 1})
	}
	return nodes
}

// Node returns the node of a name.
func (b *Bed) Node(name string) (Node, error) {
	if !b.exists() {
		return Node{}, ErrNotUp
	}
	var names []string
	for _, n := range b.Nodes() {
		if n.Name() == name {
			return n, nil
		}
		names = append(names, n.Name())
	}
	return Node{}, fmt.Errorf("there is no node %q; there are %v", name, names)
}

func (b *Bed) daemon(name, netns string, argv ...string) proc.Daemon {
	return proc.Daemon{Name: name, Dir: b.Dir, NetNS: netns, Argv: argv}
}

// start starts daemons that are not running. They need not be ready when it returns.
func start(ctx context.Context, daemons ...proc.Daemon) error {
	for _, d := range daemons {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := d.Start(); err != nil {
			return err
		}
	}
	return nil
}
