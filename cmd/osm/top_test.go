package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"osm"
	"osm/store"
)

func testGlance() glance {
	counts := store.Counts{Messages: 1200, Recipients: 3400, Delivered: 3300, Failed: 7}
	report := &store.Report{Since: day.Add(-time.Hour), Until: day, Classes: map[osm.Class]store.Counts{osm.Login: counts},
		Top: map[osm.KeyKind][]store.Top{}}
	for i := range 40 {
		name := "user" + string(rune('A'+i%26)) + "\x1b[2J"
		report.Top[osm.KeyAccount] = append(report.Top[osm.KeyAccount], store.Top{Value: name, Counts: counts})
	}
	report.Top[osm.KeyLogin] = []store.Top{{Value: "bob@example.com", Counts: counts}}
	found := store.Found{Message: osm.Message{ID: "1w0000-0000000012a-0001", Time: day, Sender: "bob@example.com"}}
	return glance{at: day, report: report, newest: []store.Found{found}}
}

func press(s screen, key tea.KeyPressMsg) screen {
	next, _ := s.Update(key)
	return next.(screen)
}

func TestTopScreen(t *testing.T) {
	s := screen{span: time.Hour, every: time.Second, look: func(time.Duration, int) glance { return testGlance() }}
	if first := s.View().Content; !strings.Contains(first, "looking") {
		t.Errorf("before the first look: %q", first)
	}
	next, _ := s.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	next, tick := next.(screen).Update(s.Init()())
	s = next.(screen)
	if tick == nil {
		t.Error("there is no next look")
	}
	content := s.View().Content
	for _, want := range []string{"1,200 messages", "[Accounts]", `userA\x1b[2J`, "1w0000-"} {
		if !strings.Contains(content, want) {
			t.Errorf("%q is not on the screen:\n%s", want, content)
		}
	}
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines on a screen of 24", len(lines))
	}
	for _, line := range lines {
		if w := lipgloss.Width(line); w > 80 {
			t.Errorf("%d cells on a screen of 80: %s", w, line)
		}
	}
	if s = press(s, tea.KeyPressMsg{Code: tea.KeyTab}); !strings.Contains(s.View().Content, "[Logins]") {
		t.Errorf("tab shows\n%s", s.View().Content)
	}
	for range len(rankings) - 1 {
		s = press(s, tea.KeyPressMsg{Code: tea.KeyTab})
	}
	if s.ranking != 0 {
		t.Error("tab does not come round")
	}
	if s = press(s, tea.KeyPressMsg{Code: 'h', Text: "h"}); s.span != 24*time.Hour {
		t.Errorf("h gives %v", s.span)
	}
	if s = press(s, tea.KeyPressMsg{Code: 'h', Text: "h"}); s.span != time.Hour {
		t.Errorf("h again gives %v", s.span)
	}
	if _, quit := s.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); quit == nil || quit() != tea.Quit() {
		t.Error("q does not leave")
	}
}

func TestTopShowsWhatIsWrong(t *testing.T) {
	s := screen{seen: glance{err: errors.New("no such file\x1b[2J")}}
	if content := s.View().Content; !strings.Contains(content, `no such file\x1b[2J`) {
		t.Errorf("%q", content)
	}
}
