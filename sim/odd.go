package sim

func (b *builder) oddities() {}
