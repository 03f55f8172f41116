package lab

import (
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// first takes the letters of the first part of a town's life.
func first(letters iter.Seq2[time.Duration, *Letter], span time.Duration) (at []time.Duration, taken []*Letter) {
	for when, l := range letters {
		if when > span {
			break
		}
		at, taken = append(at, when), append(taken, l)
	}
	return at, taken
}

func TestTown(t *testing.T) {
	attack := Attack{Mailing: 10 * time.Second, Login: 20 * time.Second, Script: 40 * time.Second, Local: 50 * time.Second}
	at, letters := first(NewTown(9).Letters(attack), time.Minute)
	atAgain, again := first(NewTown(9).Letters(attack), time.Minute)
	if !reflect.DeepEqual(at, atAgain) || !reflect.DeepEqual(letters, again) {
		t.Error("the same seed draws another town")
	}
	if _, other := first(NewTown(8).Letters(attack), time.Minute); reflect.DeepEqual(letters, other) {
		t.Error("another seed draws the same town")
	}
	if !slices.IsSorted(at) {
		t.Error("letters are not in the order of their time")
	}
	count := map[Scene]int{}
	for i, l := range letters {
		count[l.Scene]++
		if l.Scene.Spam() != strings.Contains(l.Text, SpamMark) {
			t.Errorf("%s is spam: %v", l.Scene, l.Scene.Spam())
		}
		if l.Scene == Stolen && at[i] < attack.Login || l.Scene == Hacked && at[i] < attack.Script ||
			l.Scene == Planted && at[i] < attack.Local {
			t.Errorf("%s begins at %v", l.Scene, at[i])
		}
	}
	if i := slices.IndexFunc(letters, func(l *Letter) bool { return l.Scene == Mailing }); count[Mailing] != 1 || at[i] != attack.Mailing ||
		letters[i].Caller.Login != Florist {
		t.Errorf("%d first mailings", count[Mailing])
	}
	for scene, about := range map[Scene]int{Person: 150, Shop: 86, Newsletter: 24, Form: 20, Incoming: 75, Forwarded: 30,
		Cron: 7, Monitor: 9, Stolen: 800, Hacked: 100, Planted: 100} {
		if n := count[scene]; n < about/3 || n > about*2 {
			t.Errorf("%s: %d letters in a minute, want about %d", scene, n, about)
		}
	}
}

// TestTownLives sends a part of a town's mail, spam too, through a real Exim as fast as it goes.
func TestTownLives(t *testing.T) {
	sink := startSink(t, SinkOptions{Spam: SpamMark, SpamAfter: 5})
	town := NewTown(1)
	o := town.Options()
	o.Sink, o.Selector = sink, SelectorBest
	e := startLab(t, o)
	ctx := within(t)
	_, letters := first(town.Letters(Attack{Login: time.Second, Script: time.Second, Local: time.Second}), 3*time.Second)
	hurry := func(yield func(time.Duration, *Letter) bool) {
		for _, l := range letters {
			if !yield(0, l) {
				return
			}
		}
	}
	var mu sync.Mutex
	count := map[Scene]int{}
	e.Play(ctx, hurry, func(l *Letter, err error) {
		if err != nil {
			t.Errorf("%s from %s to %s: %v", l.Scene, l.Sender, l.Recipients, err)
		}
		mu.Lock()
		defer mu.Unlock()
		count[l.Scene]++
	})
	if len(count) < 7 {
		t.Errorf("only these scenes were played: %v", count)
	}
	for _, want := range [][]string{
		{"cwd=" + HackedFolder, "/usr/sbin/sendmail -t -i -f "},
		{"U=club P=local "},
		{"@shop.test H=(localhost) [127.0.0.1]", " P=esmtp "},
		{" [203.0.113.", " P=esmtpsa "},
		{"A=login_server:" + StolenLogin, "[198.1"},
		{"** gone.", "550-5.1.1 The email account that you tried to reach does not exist."},
		{"** ", "likely unsolicited mail"},
		{"T=\"Mail delivery failed: returning message to sender\""},
		{"T=mail_spool"},
	} {
		if _, err := e.WaitLog(ctx, want...); err != nil {
			t.Error(err)
		}
	}
}
