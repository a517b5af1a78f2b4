// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net"
	"time"
)

// greeting is nil when the server at addr says the first words of its protocol: a
// listening socket alone proves nothing.
func greeting(kind, addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if kind == "postgresql" {
		// SSLRequest: the server answers S or N.
		if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
			return err
		}
		var b [1]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			return err
		}
		if b[0] != 'S' && b[0] != 'N' {
			return fmt.Errorf("%s answers %q", addr, b[0])
		}
		return nil
	}
	// Length, sequence, protocol version 10; 0xff would be an error packet.
	var b [5]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return err
	}
	if b[4] != 10 {
		return fmt.Errorf("%s greets with %#x", addr, b[4])
	}
	return nil
}
