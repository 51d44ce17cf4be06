package scratch

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user a server runs as. PostgreSQL refuses to run as root, so
// root lends it an account without rights; everybody else runs it themselves.
type account struct {
	uid, gid int
	switched bool // the account is not this process's own
}

// serverAccount finds the account: this process's own, or for root that of
// nobody, or failing that of the first well-known unprivileged user.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, look := range []func() (*user.User, error){
		func() (*user.User, error) { return user.Lookup("nobody") },
		func() (*user.User, error) { return user.LookupId("65534") },
		func() (*user.User, error) { return user.LookupId("1000") },
		func() (*user.User, error) { return user.Lookup("postgres") },
	} {
		u, err := look()
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{uid: uid, gid: gid, switched: true}, nil
		}
	}
	return account{}, errors.New("no unprivileged user to run a server as (looked for nobody, uid 65534, uid 1000, postgres)")
}

// own gives a path to the account and closes it to everybody else.
func (a account) own(path string) error {
	if err := os.Chmod(path, 0o700); err != nil {
		return err
	}
	if !a.switched {
		return nil
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("give to uid %d: %w", a.uid, err)
	}
	return nil
}

// attributes says how a child is started: as the account, and, when it is to
// live as long as this process, with the signal it gets at this one's death.
func (a account) attributes(atParentsDeath syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for the program, which then stops the server in order
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	dieWithParent(attr, atParentsDeath)
	return attr
}
