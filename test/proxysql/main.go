// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// proxy is the whole of it.
type proxy struct {
	layers      *layers
	statistics  *statisticsOnly
	counters    counters
	certificate *tls.Config
	configPath  string
	// sql is the SQL port, admin the admin interface.
	sql, admin *gate
}

// options are the command line.
type options struct {
	foreground, initial, reload bool
	config, dir                 string
}

func main() {
	log.SetFlags(log.LstdFlags | log.Lmsgprefix)
	log.SetPrefix("stand-in for ProxySQL: ")
	o, done, err := parse(os.Args[1:], os.Stdout)
	if err == nil && !done {
		err = run(o)
	}
	if err != nil {
		log.Print("[ERROR] ", err)
		os.Exit(1)
	}
}

// parse reads the command line; done says that it has been answered.
func parse(args []string, out io.Writer) (o options, done bool, err error) {
	f := flag.NewFlagSet("proxysql", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	both := func(short, long, usage string, to *bool) {
		f.BoolVar(to, short, false, usage)
		f.BoolVar(to, long, false, usage)
	}
	var showVersion, help, ignored bool
	both("f", "foreground", "", &o.foreground)
	both("V", "version", "", &showVersion)
	both("h", "help", "", &help)
	f.StringVar(&o.config, "c", "/etc/proxysql.cnf", "")
	f.StringVar(&o.config, "config", o.config, "")
	f.StringVar(&o.dir, "D", "", "")
	f.StringVar(&o.dir, "datadir", "", "")
	f.BoolVar(&o.initial, "initial", false, "")
	f.BoolVar(&o.reload, "reload", false, "")
	f.BoolVar(&ignored, "no-version-check", false, "")
	f.BoolVar(&ignored, "idle-threads", false, "")
	if err := f.Parse(args); err != nil {
		return o, false, err
	}
	switch {
	case f.NArg() > 0:
		return o, false, fmt.Errorf("argument %q is one too many", f.Arg(0))
	case help:
		_, err = fmt.Fprint(out, `A stand-in for ProxySQL in tests. This is not ProxySQL.

USAGE: proxysql [OPTIONS]

-f, --foreground     Runs in the foreground; the stand-in has nothing else
-c, --config FILE    The configuration file, by default /etc/proxysql.cnf
-D, --datadir DIR    The directory of proxysql.db
--initial            Makes proxysql.db again from the configuration file
--reload             Merges the configuration file into proxysql.db
--no-version-check   Has no effect: the stand-in asks nobody
--idle-threads       Has no effect
-V, --version        Prints the version
-h, --help           Prints this
`)
		return o, true, err
	case showVersion:
		_, err = fmt.Fprintf(out, "ProxySQL version %s, which is not ProxySQL but a stand-in for tests\n", version)
		return o, true, err
	case !o.foreground:
		return o, false, errors.New("the stand-in runs in the foreground only: give -f")
	}
	return o, false, nil
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	c, err := readConfig(o.config)
	if err != nil {
		return err
	}
	// What is begun is finished, signal or not.
	unsignalled := context.WithoutCancel(ctx)
	p := &proxy{configPath: o.config, counters: counters{started: time.Now()}}
	dir := cmp.Or(o.dir, c.scalar("datadir"), "/var/lib/proxysql")
	var existed bool
	if p.layers, existed, err = openLayers(unsignalled, dir, o.initial); err != nil {
		return err
	}
	defer p.layers.close()
	if err := p.layers.begin(unsignalled, c, existed, o.reload); err != nil {
		return err
	}
	if p.statistics, err = openStatistics(unsignalled); err != nil {
		return err
	}
	defer p.statistics.close()
	if p.certificate, err = newCertificate(); err != nil {
		return err
	}
	f := p.layers.inForce.Load()
	p.sql = &gate{addresses: f.variables["mysql-interfaces"], serve: p.serveSQL}
	p.admin = &gate{addresses: f.variables["admin-mysql_ifaces"], serve: p.serveAdmin}
	for _, g := range []*gate{p.sql, p.admin} {
		if _, err := g.open(); err != nil {
			return err
		}
	}
	newMonitor(p.layers).run(ctx)
	log.Printf("[INFO] %s is up: admin interface %s, SQL %s", version, p.admin.addresses, p.sql.addresses)
	<-ctx.Done()
	log.Print("[INFO] ends")
	return nil
}
