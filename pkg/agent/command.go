// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/backup/cli"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/install"
	"github.com/upmio/unit-operator/pkg/agent/prestop"
	"github.com/upmio/unit-operator/pkg/agent/serve"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/agent/supervise"
	"github.com/upmio/unit-operator/pkg/agent/tools"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/version"
)

// Memory the Go runtime tries to stay below unless GOMEMLIMIT says otherwise:
// supervise is charged to the database's limit, serve to the sidecar's.
const (
	superviseMemory = 32 << 20
	serveMemory     = 100 << 20
)

// serveGC is how much garbage serve lets come up to what it uses, in percent, unless GOGC
// says otherwise: during a backup those are buffers, of which a collection costs
// nothing, and of which twice as many would be too many.
const serveGC = 40

// Main runs unit-agent, or the stand-in tool whose name it was called by, and
// returns the exit status.
func Main(argv []string, stdout, stderr io.Writer) int {
	if tool, ok := tools.ByName(filepath.Base(argv[0])); ok {
		return tool(context.Background(), argv[1:], stdout, stderr)
	}
	// The first of these stops in order; the second one does nothing more: what
	// ends a server that hangs is the engine's stop plan.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	command := newCommand()
	command.SetArgs(argv[1:])
	command.SetOut(stdout)
	command.SetErr(stderr)
	err := command.ExecuteContext(ctx)
	klog.Flush()
	var exit exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintln(stderr, "unit-agent:", err)
	return 1
}

// exitStatus ends the process with a status and no message.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "unit-agent",
		Short: "Runs next to one database server for unit-operator",
		Long: `unit-agent is what unit-operator puts into the pod of each unit.

  install    copies it from its own image into a directory that all containers share
  supervise  is PID 1 of the database container: starts, stops and reaps the server
  serve      is the container "agent": the operator calls it, people and Prometheus ask it
  prestop    is the database container's preStop hook
  backup     lists, verifies and unpacks backups, on any machine

It runs in stock database images, needs no Kubernetes credentials, and finds what it
needs in environment variables that the unit controller sets (unit-agent env lists them).
Linked under the name nslookup, curl or netstat it stands in for that program.`,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().AddGoFlag(flags.Lookup("v"))
	root.AddCommand(newInstallCommand(), newSuperviseCommand(), newServeCommand(), newPrestopCommand(), newEnvCommand(), cli.Command(cli.Engines{New: NewEngine, Actions: NewActions}))
	return root
}

func newInstallCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install DIR",
		Short: "Copy unit-agent into DIR and link the stand-in tools in DIR/tools",
		Long: `Copies the running program to DIR/unit-agent (mode 0755, renamed into place, so that it
may run again over an earlier copy) and makes the links DIR/tools/nslookup, curl and
netstat to it. It is the pod's first init container; DIR is an emptyDir.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return install.Run(self, args[0])
		},
	}
}

func newSuperviseCommand() *cobra.Command {
	var probeAddress string
	command := &cobra.Command{
		Use:   "supervise",
		Short: "Run the database server: PID 1 of the database container",
		Long: `Is PID 1 of the database container. Waits until it may start the server (a new pod: until the operator's first configuration;
always: while there is a hold or the expected data is missing), initialises an empty data
directory, starts the server, restarts it when it asks for that, and stops it on SIGTERM
or SIGINT and when a hold appears. SIGHUP, SIGUSR1 and SIGUSR2 are forwarded.

If the server ends by itself, supervise ends with the server's exit status (128+n for
signal n), so that the kubelet counts the restart. After an orderly stop it ends with the
status of that stop.

Probes are answered at --probe-address: /livez and /startupz as long as supervise lives,
/readyz when the server answers a query on its socket within two seconds.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			limitMemory(superviseMemory)
			ctx := command.Context()
			env, eng, err := environment()
			if err != nil {
				return err
			}
			listener, err := new(net.ListenConfig).Listen(ctx, "tcp", probeAddress)
			if err != nil {
				return err
			}
			signals := make(chan os.Signal, 8)
			signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
			status := supervise.Run(loggerFor(ctx, env), supervise.Options{
				Env:      env,
				Engine:   eng,
				Listener: listener,
				Signals:  signals,
				Stdout:   os.Stdout,
				Stderr:   os.Stderr,
			})
			if status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
	command.Flags().StringVar(&probeAddress, "probe-address", ":2215", "address to answer the kubelet's probes on")
	return command
}

func newServeCommand() *cobra.Command {
	var grpcAddress, httpAddress string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the operator (gRPC) and people (HTTP): the container agent",
		Long: `Serves upm.agent.v1.UnitService, upm.agent.v1.OperationService and grpc.health.v1.Health
at --grpc-address, with mutual TLS: only the operator's certificate is let in. The
certificate is read from the directory /unit-agent/tls (tls.crt, tls.key, ca.crt) and read again when it changes;
while there is none nobody is let in, and /livez says so.

At --http-address, without TLS: /health (GET or POST: JSON of the server's state, 200 as
long as the agent is healthy), /readyz (200 when the database answers), /livez, /metrics.

The database does not depend on it: it may end and come back at any time.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			limitMemory(serveMemory)
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(serveGC)
			}
			env, eng, err := environment()
			if err != nil {
				return err
			}
			ctx := loggerFor(command.Context(), env)
			grpcListener, err := new(net.ListenConfig).Listen(ctx, "tcp", grpcAddress)
			if err != nil {
				return err
			}
			httpListener, err := new(net.ListenConfig).Listen(ctx, "tcp", httpAddress)
			if err != nil {
				return err
			}
			return serve.Run(ctx, serve.Options{
				Env: env, Engine: eng, GRPC: grpcListener, HTTP: httpListener, Actions: NewActions,
				LoadTLS: func() (*tls.Config, error) { return agenttls.ServerConfig(env.TLSDir) },
			})
		},
	}
	command.Flags().StringVar(&grpcAddress, "grpc-address", ":2214", "address of the gRPC server (mutual TLS)")
	command.Flags().StringVar(&httpAddress, "http-address", ":8080", "address of /health, /readyz, /livez and /metrics (no TLS)")
	return command
}

func newPrestopCommand() *cobra.Command {
	maxWait := prestop.MaxWait
	command := &cobra.Command{
		Use:   "prestop",
		Short: "Wait until this unit is no longer the source: the preStop hook",
		Long: `Returns at once unless the recorded role is source of a Replication that owns the unit, the
server is not held down, and the operator has called within the last 30 seconds. Else waits
until the Replication has moved the role away, at most --max-wait: the time the server
needs to stop must be left of terminationGracePeriodSeconds.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			env, err := engine.EnvFromOS()
			if err != nil {
				return err
			}
			return prestop.Run(loggerFor(command.Context(), env), state.NewStore(env.StateDir, state.Files{}), maxWait)
		},
	}
	command.Flags().DurationVar(&maxWait, "max-wait", maxWait, "longest wait for the role to leave")
	return command
}

func newEnvCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the environment unit-agent reads, and what it makes of it here",
		Long: `Prints where unit-agent looks in this container, as it understood the environment. Values of
Secrets are not among it. Outside a pod, paths are overridden by the variables in brackets.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			env, err := engine.EnvFromOS()
			if err != nil {
				return err
			}
			printEnv(command.OutOrStdout(), env)
			return nil
		},
	}
}

func printEnv(out io.Writer, env engine.Env) {
	for _, row := range [][2]string{
		{"unit (UNIT_NAMESPACE/UNIT_NAME)", env.Namespace + "/" + env.Name},
		{"unit uid (UNIT_UID)", env.UID},
		{"unit set (UNIT_SET)", env.Set},
		{"type (UNIT_TYPE)", env.Type},
		{"version (UNIT_VERSION)", env.Version},
		{"pod uid (POD_UID)", env.PodUID},
		{"pod ip (POD_IP)", env.PodIP},
		{"data directory (DATA_DIR_MOUNT)", env.DataDir()},
		{"data storage (UNIT_DATA_STORAGE)", env.DataStorage},
		{"SQL port (UNIT_SQL_PORT)", fmt.Sprint(env.SQLPort)},
		{"mode (ARCH_MODE)", env.ArchMode},
		{"secret (SECRET_MOUNT)", env.SecretDir},
		{"home (HOME)", env.HomeDir},
		{"temporary files (TMPDIR)", env.TmpDir},
		{"state [" + engine.EnvStateDir + "]", env.StateDir},
		{"certificate [" + engine.EnvTLSDir + "]", env.TLSDir},
		{"configuration [" + engine.EnvConfigDir + "]", env.ConfigDir},
		{"sockets [" + engine.EnvSocketDir + "]", env.SocketDir},
		{"programs [" + engine.EnvServerDir + "]", env.ServerDir},
	} {
		fmt.Fprintf(out, "%-38s %s\n", row[0], row[1])
	}
}

// environment is what supervise and serve begin with.
func environment() (engine.Env, engine.Engine, error) {
	env, err := engine.EnvFromOS()
	if err != nil {
		return engine.Env{}, nil, err
	}
	eng, err := NewEngine(env)
	return env, eng, err
}

func loggerFor(ctx context.Context, env engine.Env) context.Context {
	return klog.NewContext(ctx, klog.Background().WithValues("unit", klog.KRef(env.Namespace, env.Name)))
}

func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
