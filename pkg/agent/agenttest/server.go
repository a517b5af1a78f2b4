// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// serverMain is the fake server. It appends one line per event to the file lives
// in the socket directory, so that a test can count its lives and overlaps, and
// obeys lines on its socket:
//
//	ping        answers ok
//	id          answers the database's id
//	parent      answers MYSQLD_PARENT_PID and the parent's pid
//	session     answers ok to every line until the connection ends
//	exit N      exits with status N
//	orphan      leaves an orphan that exits at once, answers its pid
//	daemon      starts a process in another session, answers its pid
//	stubborn    ignores SIGTERM and SIGINT from now on
func serverMain(env engine.Env) int {
	log := func(event string) {
		f, err := os.OpenFile(filepath.Join(env.SocketDir, "lives"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintf(f, "%s %d\n", event, os.Getpid())
	}
	id, err := os.ReadFile(filepath.Join(env.DataDir(), "id"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake server:", err)
		return 1
	}
	log("start")
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)

	// A slow start takes as long as there is a file that says so.
	for slow := filepath.Join(env.ConfigDir, "slow-start"); ; {
		if _, err := os.Stat(slow); err != nil {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-signals:
			log("stop")
			return 0
		}
	}
	path := filepath.Join(env.SocketDir, "s")
	_ = os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake server:", err)
		return 1
	}
	exit := make(chan int)
	stubborn := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveLine(conn, string(id), exit, stubborn)
		}
	}()
	ignore := false
	for {
		select {
		case status := <-exit:
			log("exit")
			return status
		case <-stubborn:
			ignore = true
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				log("hup")
				continue
			}
			if !ignore {
				log("stop")
				return 0
			}
			log("ignored")
		}
	}
}

func serveLine(conn net.Conn, id string, exit chan<- int, stubborn chan<- struct{}) {
	defer conn.Close()
	scanner := bufio.NewScanner(conn)
	session := false
	for scanner.Scan() {
		word, argument, _ := strings.Cut(scanner.Text(), " ")
		switch word {
		case "id":
			fmt.Fprintln(conn, id)
		case "parent":
			fmt.Fprintln(conn, os.Getenv("MYSQLD_PARENT_PID"), os.Getppid())
		case "session":
			session = true
			fmt.Fprintln(conn, "ok")
		case "exit":
			status, _ := strconv.Atoi(argument)
			exit <- status
		case "stubborn":
			stubborn <- struct{}{}
			fmt.Fprintln(conn, "ok")
		case "daemon":
			// In a session of its own, with nothing of the server's open.
			child := exec.Command("/bin/sleep", "600")
			child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := child.Start(); err != nil {
				fmt.Fprintln(conn, err)
				continue
			}
			fmt.Fprintln(conn, child.Process.Pid)
		case "orphan":
			// The shell in the middle ends at once, its child a little later.
			out, err := exec.Command("/bin/sh", "-c", "sleep 0.1 >/dev/null 2>&1 & echo $!").Output()
			if err != nil {
				fmt.Fprintln(conn, err)
			}
			fmt.Fprint(conn, string(out))
		default:
			fmt.Fprintln(conn, "ok")
		}
		if !session {
			return
		}
	}
}
