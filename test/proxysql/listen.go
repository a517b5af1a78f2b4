// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// gate is a number of addresses that are listened on, or not.
type gate struct {
	addresses string
	serve     func(net.Conn)

	mu        sync.Mutex
	listeners []net.Listener
}

// open listens; false says that it did already.
func (g *gate) open() (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.listeners) > 0 {
		return false, nil
	}
	for _, address := range strings.Split(g.addresses, ";") {
		network := "tcp"
		if strings.HasPrefix(address, "/") {
			network = "unix"
		}
		listener, err := net.Listen(network, address)
		if err != nil {
			return false, errors.Join(err, g.shut())
		}
		g.listeners = append(g.listeners, listener)
		go g.accept(listener)
	}
	return true, nil
}

// close ends listening and leaves connections that are open alone; false says that it
// had ended.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.listeners) == 0 {
		return false
	}
	if err := g.shut(); err != nil {
		log.Printf("[ERROR] %v", err)
	}
	return true
}

func (g *gate) shut() error {
	var errs []error
	for _, l := range g.listeners {
		errs = append(errs, l.Close())
	}
	g.listeners = nil
	return errors.Join(errs...)
}

func (g *gate) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			g.serve(conn)
		}()
	}
}

// handshake lets a client in who is one of users.
func (p *proxy) handshake(conn net.Conn, users map[string]string, h server.Handler) (*server.Conn, error) {
	f := p.layers.inForce.Load()
	var certificate *tls.Config
	if f.variables["mysql-have_ssl"] == "true" {
		certificate = p.certificate
	}
	plugin := f.variables["mysql-default_authentication_plugin"]
	if plugin != mysql.AUTH_CACHING_SHA2_PASSWORD {
		plugin = mysql.AUTH_NATIVE_PASSWORD
	}
	// The library keeps what passwords were right in maps of its own, unless it has
	// them all in this one: a new one each time is never out of date.
	known := server.NewInMemoryProvider()
	for name, password := range users {
		known.AddUser(name, password)
	}
	if err := conn.SetDeadline(time.Now().Add(f.duration("mysql-connect_timeout_client"))); err != nil {
		return nil, err
	}
	s := server.NewServer(f.variables["mysql-server_version"], 45, plugin, nil, certificate)
	r := &refusing{Conn: conn}
	c, err := s.NewCustomizedConn(r, known, h)
	if err != nil {
		return nil, err
	}
	r.letIn = true
	return c, conn.SetDeadline(time.Time{})
}

// refusing is a connection on which the library's refusals are ProxySQL's.
type refusing struct {
	net.Conn
	letIn bool
}

// host is an address without its port.
type host string

func (h host) Network() string { return "tcp" }
func (h host) String() string  { return string(h) }

// RemoteAddr implements net.Conn: refusals name the host only.
func (r *refusing) RemoteAddr() net.Addr {
	name, _, err := net.SplitHostPort(r.Conn.RemoteAddr().String())
	if err != nil {
		return r.Conn.RemoteAddr()
	}
	return host(name)
}

var account = regexp.MustCompile(`'.*'@'[^']*'`)

// Write implements net.Conn.
func (r *refusing) Write(p []byte) (int, error) {
	// A packet is its length, its number, and 0xff if it is an error; over TLS nobody
	// can tell.
	const header = 4
	if r.letIn || len(p) <= header || int(p[0])|int(p[1])<<8|int(p[2])<<16 != len(p)-header || p[header] != mysql.ERR_HEADER {
		return r.Conn.Write(p)
	}
	using := "YES"
	if strings.Contains(string(p), "password: NO") {
		using = "NO"
	}
	packet := []byte{0, 0, 0, p[3], mysql.ERR_HEADER}
	packet = binary.LittleEndian.AppendUint16(packet, mysql.ER_ACCESS_DENIED_ERROR)
	packet = fmt.Appendf(packet, "#28000ProxySQL Error: Access denied for user %s (using password: %s)", account.Find(p), using)
	packet[0], packet[1] = byte(len(packet)-header), byte((len(packet)-header)>>8)
	if _, err := r.Conn.Write(packet); err != nil {
		return 0, err
	}
	return len(p), nil
}

// newCertificate signs itself, as ProxySQL's own does.
func newCertificate() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "stand-in for ProxySQL"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}
