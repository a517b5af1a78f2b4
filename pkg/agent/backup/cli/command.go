// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is unit-agent backup: it lists, verifies and unpacks backups where there
// is no cluster. It touches no server but those that verify --restore makes for itself.
//
// Credentials come from the environment or from files, never from arguments.
package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

// Command is unit-agent backup.
func Command(engines Engines) *cobra.Command {
	root := &cobra.Command{
		Use:   "backup",
		Short: "List, verify and unpack backups, without a cluster",
		Long: `Reads backups from s3://<bucket>/<prefix>/ or file:///<path>/: a folder (the newest backup in
it), a backup by name, its manifest, or a file of it.

Credentials are taken from the environment, or from the directory --secret that has the
keys of the operator's Secret as files (endpoint, region, pathStyle, accessKey,
secretKey, ca), such as a mounted Secret:

  S3_ENDPOINT S3_REGION S3_PATH_STYLE   AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  S3_CA_FILE                            a file of certificates in PEM
  BACKUP_KEY_FILE                       a file with the encryption key: 32 bytes, or as
                                        base64 or hexadecimal

The format is described in docs/backup-format.md.`,
	}
	o := &options{}
	root.PersistentFlags().StringVar(&o.secretDir, "secret", "", "directory with the keys of a Secret as files")
	root.PersistentFlags().StringVar(&o.keyFile, "key-file", "", "file with the encryption key")
	root.AddCommand(newListCommand(o), newVerifyCommand(o, engines), newRestoreCommand(o))
	return root
}

func newListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list LOCATION/",
		Short: "List the backups in a folder, the newest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			l, store, err := o.open(ctx, args[0])
			if err != nil {
				return err
			}
			if !l.IsFolder() {
				l.Folder, l.Name = l.Folder+l.Name+"/", ""
			}
			manifests, bad, err := backup.List(ctx, store, l)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tCREATED\tKIND\tTYPE\tENGINE\tOF\tSIZE\tSTORED\tKEY\tBASE")
			for _, m := range manifests {
				key, base := "-", "-"
				if m.Encryption != nil {
					key = m.Encryption.KeyID
				}
				if m.Base != nil {
					base = m.Base.Name
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s %s\t%s/%s\t%d\t%d\t%s\t%s\n", m.Name(), m.Created.Format(time.RFC3339),
					m.Kind, m.Type, m.Engine, m.EngineVersion, m.Namespace, m.Set, m.Size(), m.Stored(), key, base)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			for _, err := range bad {
				fmt.Fprintln(command.ErrOrStderr(), "unusable:", err)
			}
			return nil
		},
	}
}

func newVerifyCommand(o *options, engines Engines) *cobra.Command {
	var restored bool
	var work string
	command := &cobra.Command{
		Use:   "verify LOCATION [--restore --work DIR]",
		Short: "Read a backup, and what it is based on, and compare sizes and hashes, or restore it",
		Long: `Reads every byte of a backup and of those it is based on. Of an encrypted backup, without the key,
only the stored bytes are compared.

With --restore it is restored in the empty directory --work, which must have room for it, and
a server is started there that nobody else can reach. The rows of all tables are read, and
compared with what the server had, if the backup was taken with verify: "true". It wants the
programs of the same version: run it in the image of the database, as its user.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			store, chain, key, err := o.chain(ctx, args[0])
			if err != nil {
				return err
			}
			for _, m := range chain {
				v, err := backup.Verify(ctx, store, m, key, nil)
				if err != nil {
					return err
				}
				what := "content"
				if !v.Content {
					what = "stored bytes only: no key was given"
				}
				fmt.Fprintf(command.OutOrStdout(), "%s: %d files, %d bytes are good (%s)\n", m.Location(), v.Files, v.Bytes, what)
			}
			if !restored {
				return nil
			}
			secrets, err := o.secrets()
			if err != nil {
				return err
			}
			secrets["encryption.key"] = key
			last := ""
			verdict, err := engines.verify(ctx, chain[len(chain)-1], work, secrets, func(text string) {
				if text != last {
					last = text
					fmt.Fprintln(command.ErrOrStderr(), text)
				}
			})
			if err == nil {
				fmt.Fprintln(command.OutOrStdout(), verdict)
			}
			return err
		},
	}
	command.Flags().BoolVar(&restored, "restore", false, "restore it on a server of its own, and compare")
	command.Flags().StringVar(&work, "work", "", "empty directory to restore it in")
	command.MarkFlagsRequiredTogether("restore", "work")
	return command
}

// chain finds the backup and what it is based on, and reads the key.
func (o *options) chain(ctx context.Context, address string) (backup.Store, []*backup.Manifest, []byte, error) {
	key, err := o.key()
	if err != nil {
		return nil, nil, nil, err
	}
	l, store, err := o.open(ctx, address)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := backup.Find(ctx, store, l, backup.Scope{})
	if err != nil {
		return nil, nil, nil, err
	}
	chain, err := backup.Chain(ctx, store, m)
	return store, chain, key, err
}
