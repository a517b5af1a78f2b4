// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chart packs the chart of a release; see package chart.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/upmio/unit-operator/hack/tools/release/chart"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var r chart.Release
	dir := flag.String("chart", "charts/unit-operator", "the `DIRECTORY` of the chart")
	out := flag.String("out", "dist", "the `DIRECTORY` to write to")
	flag.StringVar(&r.Version, "version", "dev", "the version")
	flag.StringVar(&r.Registry, "registry", "", "the `REGISTRY` of the images")
	flag.StringVar(&r.OperatorDigest, "operator-digest", "", "the `DIGEST` of unit-operator")
	flag.StringVar(&r.AgentDigest, "agent-digest", "", "the `DIGEST` of unit-agent")
	epoch := flag.String("date", "0", "the date in `SECONDS` since 1970")
	flag.Parse()
	seconds, err := strconv.ParseInt(*epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	r.Date = time.Unix(seconds, 0)
	path, err := chart.Pack(*dir, *out, r)
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}
